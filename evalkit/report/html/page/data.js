// The data of the page: the index of the listed cases, and their details, which are read when asked for.

const index = JSON.parse(byId("case-index").textContent);
const KINDS = {
  regression: { symbol: "fail", tone: "bad" },
  error: { symbol: "broken", tone: "odd" },
  fix: { symbol: "pass", tone: "good" },
  flip: { symbol: "flip", tone: "unsure" },
  failing: { symbol: "cross", tone: "bad" },
  same: { symbol: "check", tone: "good" },
};

const cases = index.cases.map(
  ([suite, id, kind, words, excerpt, tags, scorers, mode, order, cost, latency, flags], number) => ({
    number, suite, id, words, excerpt, tags, scorers, mode, order, cost, latency, flags,
    kind: index.kinds[kind][0],
    label: index.suites[suite].alone ? words : index.kinds[kind][1],
    key: `${index.suites[suite].name}/${id}`,
    place: suite * 1e9 + order,
  }),
);

const chunks = new Map();

/** Everything about a case. */
function detailOf(item) {
  const number = Math.floor(item.number / index.chunk);
  if (!chunks.has(number)) {
    chunks.set(number, JSON.parse(byId(`cases-${number}`).textContent));
  }
  return chunks.get(number)[item.number % index.chunk];
}

/** The text that is shown of a text that may have been clipped. */
const shownOf = (text) => (Array.isArray(text) ? text[0] : text);

/** A note about what was clipped; null where nothing was. */
function clippedNote(text) {
  if (!Array.isArray(text)) return null;
  const more = (text[1] - text[0].length).toLocaleString("en");
  return make("p", { class: "clipped" }, `Clipped: about ${more} more characters are in attempts.jsonl.`);
}

let haystacks = null;

/** All texts of each case in lower case, made when somebody searches for the first time. */
function searchable(item) {
  if (haystacks === null) {
    haystacks = cases.map((each) => {
      const detail = detailOf(each);
      const texts = [each.id, each.words];
      texts.push(...each.tags.map((tag) => index.tags[tag]), detail.place, detail.group);
      for (const [key, value] of [...detail.input, ...detail.expected]) texts.push(key, shownOf(value));
      for (const side of detail.sides) {
        for (const attempt of side.attempts) {
          texts.push(shownOf(attempt.output) || "", attempt.state, attempt.mode);
          texts.push(...attempt.calls.map(shownOf), ...attempt.scores.map((score) => score[3]));
        }
      }
      return texts.join("\n").toLowerCase();
    });
  }
  return haystacks[item.number];
}
