// One case: what was asked and expected, what both sides said, how it was scored, and why.

const detail = byId("detail");
const PASSED = [
  [true, "pass", "good", "passed"],
  [false, "fail", "bad", "failed"],
  [null, "broken", "odd", "no result"],
  ["", "none", "plain", "not counted"],
];
const SCORES = {
  pass: ["pass", "good"],
  fail: ["fail", "bad"],
  error: ["broken", "odd"],
  "no verdict": ["unsure", "unsure"],
  "does not apply": ["none", "plain"],
};
const OUTCOMES = {
  allowed: ["pass", "good"],
  answered: ["pass", "good"],
  changed: ["pen", "unsure"],
  denied: ["fail", "bad"],
  failed: ["broken", "odd"],
};

function passedMark(passed) {
  const [, symbol, tone, word] = PASSED.find(([value]) => value === passed);
  return mark(symbol, tone, word);
}

/** Show a case; `trials` are the numbers of the trials that are shown, one a side. */
function showDetail(item, trials) {
  const data = detailOf(item);
  const shown = data.sides.map((side, number) => attemptOf(side, trials ? trials[number] : side.shown));
  const heading = make("h3", { id: "case-title", tabindex: "-1" }, item.id);
  const { symbol, tone } = KINDS[item.kind];
  const suite = index.suites[item.suite];
  const parts = [
    make(
      "header", { class: "case-head" },
      make("div", { class: "case-title" }, heading, mark(symbol, tone, item.words)),
      about(item, data, suite),
    ),
    mapping("Asked", data.input),
    mapping("Expected", data.expected),
    sideHeads(item, data, shown),
    output(data, shown),
    calls(data, shown),
    scores(data, shown),
    facts(data, shown),
    trace(data, shown),
    make("p", { class: "about" }, "On a terminal: ", make("code", null, `evalkit show ${index.run} ${item.id}`)),
  ];
  detail.replaceChildren(...parts.filter(Boolean));
}

function attemptOf(side, trial) {
  return side.attempts.find((attempt) => attempt.trial === trial) || null;
}

function about(item, data, suite) {
  const parts = [];
  if (index.suites.length > 1) parts.push(make("span", null, suite.name));
  if (data.place) parts.push(make("code", null, data.place));
  if (data.group) parts.push(make("span", null, `group ${data.group}`));
  parts.push(...item.tags.map((tag) => make("span", { class: "tag" }, index.tags[tag])));
  parts.push(...item.flags.map((flag) => make("span", { class: "flag" }, flag)));
  return make("div", { class: "case-about" }, parts);
}

function section(title, ...content) {
  return make("section", { class: "part-of-case" }, make("h4", null, title), content);
}

function textBlock(text, ...more) {
  return make("pre", { dir: "auto" }, text, ...more);
}

function mapping(title, entries) {
  if (!entries.length) return section(title, make("p", { class: "about" }, "nothing"));
  const pairs = entries.map(([key, value]) =>
    make("div", null, make("dt", null, key),
      make("dd", null, textBlock(shownOf(value)), clippedNote(value))),
  );
  return section(title, make("dl", { class: "pairs" }, pairs));
}

/** Two columns where there are two sides, one where there is one. */
function columns(data, cells) {
  return make("div", { class: data.sides.length > 1 ? "sides two" : "sides" }, cells);
}

function column(data, number, ...content) {
  const label = data.sides.length > 1 ? make("p", { class: "side-label" }, data.sides[number].name) : null;
  return make("div", { class: "side" }, label, content);
}

function sideHeads(item, data, shown) {
  const heads = data.sides.map((side, number) => {
    const attempt = shown[number];
    const result = attempt ? passedMark(attempt.passed) : mark("none", "odd", "never attempted");
    const state = attempt && attempt.state ? make("p", { class: "state" }, attempt.state) : null;
    return make("div", { class: "side" }, make("div", { class: "side-head" },
      make("b", null, side.name), result, picker(item, data, shown, number)), state);
  });
  return columns(data, heads);
}

/** The trials of a side to choose from; nothing where there is one. */
function picker(item, data, shown, number) {
  const side = data.sides[number];
  if (side.attempts.length < 2) return null;
  const select = make("select", { "aria-label": `trial of ${side.name}` });
  for (const attempt of side.attempts) {
    const [, , , word] = PASSED.find(([value]) => value === attempt.passed);
    const pooled = attempt.pooled ? `, from ${attempt.pooled}` : "";
    select.append(make("option", { value: attempt.trial }, `trial ${attempt.trial}: ${word}${pooled}`));
  }
  if (shown[number]) select.value = String(shown[number].trial);
  select.addEventListener("change", () => {
    const trials = shown.map((attempt) => (attempt ? attempt.trial : 1));
    trials[number] = Number(select.value);
    showDetail(item, trials);
    detail.querySelector(`select[aria-label="trial of ${side.name}"]`).focus();
  });
  return select;
}

function output(data, shown) {
  const texts = shown.map((attempt) => (attempt ? attempt.output : null));
  const both = texts.length === 2 && texts.every((text) => text !== null);
  let blocks = texts.map((text) => [[shownOf(text), false]]);
  let note = null;
  if (both) {
    const [before, after] = texts.map(shownOf);
    if (before !== after) {
      blocks = diffWords(before, after);
      note = "− only in the baseline, + only in the candidate";
    } else if (texts.some(Array.isArray) && JSON.stringify(texts[0]) !== JSON.stringify(texts[1])) {
      note = "The two differ after what is shown.";
    } else {
      note = "Both said the same.";
    }
  }
  const cells = texts.map((text, number) => {
    const attempt = shown[number];
    const said = text === null
      ? make("p", { class: "about" }, attempt ? "no text" : "no attempt was made")
      : textBlock("", segments(blocks[number], number === 0 && both ? "del" : "ins"));
    return column(data, number, said, clippedNote(text));
  });
  return section("Said", columns(data, cells), note ? make("p", { class: "legend" }, note) : null);
}

function segments(parts, name) {
  return parts.map(([text, changed]) => (changed ? make(name, null, text) : text));
}

function calls(data, shown) {
  if (!shown.some((attempt) => attempt && attempt.calls.length)) return null;
  const texts = shown.map((attempt) => (attempt ? attempt.calls.map(shownOf) : []));
  const cells = texts.map((own, number) => {
    const other = texts.length > 1 ? texts[1 - number] : own;
    const name = number === 0 && texts.length > 1 ? "del" : "ins";
    const items = own.map((text) =>
      make("li", null, make("code", { dir: "auto" }, other.includes(text) ? text : make(name, null, text))));
    const none = make("p", { class: "about" }, "none");
    return column(data, number, items.length ? make("ol", { class: "calls" }, items) : none);
  });
  return section("Tool calls", columns(data, cells));
}

function scores(data, shown) {
  const names = [...new Set(shown.flatMap((attempt) => (attempt ? attempt.scores.map(([name]) => name) : [])))];
  if (!names.length) return section("Scores", make("p", { class: "about" }, "not scored"));
  const cells = shown.map((attempt, number) => {
    const items = names.map((name) => {
      const score = attempt && attempt.scores.find(([each]) => each === name);
      if (!score) return make("li", null, make("span", { class: "score-name" }, name), " – ");
      const [, word, role, message, judged] = score;
      const [symbol, tone] = SCORES[word];
      const broke = number === shown.length - 1 && data.fresh.includes(name) && word !== "pass";
      return make("li", null,
        make("span", { class: "score-name" }, name, role),
        mark(symbol, tone, word), broke ? make("span", { class: "flag" }, "broke") : null,
        message && word !== "pass" ? make("p", { class: "score-message", dir: "auto" }, message) : null,
        judged.map(([line, said]) =>
          make("p", { class: `score-message${said ? "" : " about-judge"}`, dir: "auto" }, line)));
    });
    return column(data, number, make("ul", { class: "scores" }, items));
  });
  return section("Scores", columns(data, cells));
}

function facts(data, shown) {
  const lines = index.facts
    .map((label, number) => [label, shown.map((attempt) => (attempt ? attempt.facts[number] : ""))])
    .filter(([, texts]) => texts.some(Boolean));
  if (!lines.length) return null;
  const head = data.sides.map((side) => make("th", { scope: "col" }, side.name));
  const body = lines.map(([label, texts]) =>
    make("tr", null, make("th", { scope: "row" }, label),
      texts.map((text) => make("td", null, text || "–"))));
  return section("What it took", make("div", { class: "scrolls" }, make("table", { class: `figures words of-${data.sides.length}` },
    make("thead", null, make("tr", null, make("td", null, ""), head)), make("tbody", null, body))));
}

function trace(data, shown) {
  const cells = shown.map((attempt, number) => {
    if (!attempt) return column(data, number, make("p", { class: "about" }, "no attempt was made"));
    if (!attempt.trace.length) {
      const words = attempt.traced ? "no decision was recorded" : "no trace is stored";
      return column(data, number, make("p", { class: "about" }, words));
    }
    const items = attempt.trace.map(([act, outcome, rule, message, since, extra]) => {
      const [symbol, tone] = OUTCOMES[outcome];
      return make("li", null,
        make("div", { class: "decision" }, make("b", null, act), mark(symbol, tone, outcome),
          make("code", null, rule), make("small", null, since)),
        make("p", { dir: "auto" }, message),
        extra ? make("code", { class: "decision-data", dir: "auto" }, extra) : null);
    });
    const partial = attempt.traced ? null
      : make("p", { class: "legend" }, "Only what a policy denied or changed is stored.");
    return column(data, number, make("ol", { class: "trace" }, items), partial);
  });
  return section("Why: the trace of decisions", columns(data, cells));
}
