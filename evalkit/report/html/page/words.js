// Two texts by their words: what is on both sides, and what only one has.

const WORD =
  /\s+|[\p{Script=Han}\p{Script=Hiragana}\p{Script=Katakana}\p{Script=Thai}]|[\p{L}\p{N}\p{M}_]+|[^\s]/gu;
// matching is quadratic; past so many pairs of words the middle is shown as changed as a whole
const MOST_PAIRS = 4_000_000;
const CRUMB = 3;

/** [segments of before, segments of after]; a segment is [text, whether only its side has it]. */
function diffWords(before, after) {
  const old = before.match(WORD) || [];
  const fresh = after.match(WORD) || [];
  let start = 0;
  while (start < old.length && start < fresh.length && old[start] === fresh[start]) start += 1;
  let end = 0;
  const shorter = Math.min(old.length, fresh.length) - start;
  while (end < shorter && old[old.length - 1 - end] === fresh[fresh.length - 1 - end]) end += 1;
  const middle = matchWords(old.slice(start, old.length - end), fresh.slice(start, fresh.length - end));
  const head = [old.slice(0, start).join(""), false];
  const tail = [old.slice(old.length - end).join(""), false];
  const all = middle.map((segments) => joinSegments([head, ...segments, tail]));
  const common = all[0].filter(([, changed]) => !changed).map(([text]) => text).join("");
  if (common.length <= 8 && !/[\p{L}\p{N}]/u.test(common)) {
    // a pair of quotes or a blank is no common ground
    return [[[before, true]], [[after, true]]];
  }
  return all;
}

/** The longest common subsequence of two lists of words, as segments of both. */
function matchWords(old, fresh) {
  if (!old.length || !fresh.length || old.length * fresh.length > MOST_PAIRS) {
    return [[[old.join(""), true]], [[fresh.join(""), true]]];
  }
  const width = fresh.length + 1;
  const lengths = new Uint16Array((old.length + 1) * width);
  for (let i = old.length - 1; i >= 0; i -= 1) {
    for (let j = fresh.length - 1; j >= 0; j -= 1) {
      lengths[i * width + j] =
        old[i] === fresh[j]
          ? lengths[(i + 1) * width + j + 1] + 1
          : Math.max(lengths[(i + 1) * width + j], lengths[i * width + j + 1]);
    }
  }
  const sides = [[], []];
  let equal = "";
  const close = () => {
    // an equal piece between two changes that is too little to say that anything stayed
    const crumb = equal.trim().length <= CRUMB || !/[\p{L}\p{N}]/u.test(equal);
    if (equal) for (const side of sides) side.push([equal, crumb]);
    equal = "";
  };
  let i = 0;
  let j = 0;
  while (i < old.length || j < fresh.length) {
    if (i < old.length && j < fresh.length && old[i] === fresh[j]) {
      equal += old[i];
      i += 1;
      j += 1;
      continue;
    }
    close();
    const ahead = i < old.length ? lengths[(i + 1) * width + j] : -1;
    if (j >= fresh.length || (i < old.length && ahead >= lengths[i * width + j + 1])) {
      sides[0].push([old[i], true]);
      i += 1;
    } else {
      sides[1].push([fresh[j], true]);
      j += 1;
    }
  }
  close();
  return sides;
}

/** Segments without empty ones, neighbours of a kind made one. */
function joinSegments(segments) {
  const joined = [];
  for (const [text, changed] of segments) {
    if (!text) continue;
    const last = joined[joined.length - 1];
    if (last && last[1] === changed) last[0] += text;
    else joined.push([text, changed]);
  }
  return joined;
}
