// Objects say the same words again and again: kinds, labels, owners, reasons. One copy of each is a third of the memory.
const capacity = 5_000;
const longest = 64;
let recent = new Map<string, string>();
let older = new Map<string, string>();

/** The same word, and the same piece of memory as where it was said before. What nobody says any more is forgotten. */
export function sharedWord(word: string): string {
  if (word.length > longest) return word;
  const known = recent.get(word);
  if (known !== undefined) return known;
  if (recent.size >= capacity) {
    older = recent;
    recent = new Map();
  }
  const first = older.get(word) ?? word;
  recent.set(first, first);
  return first;
}

/** The same value of JSON, changed in place: its words are shared with what came before. */
export function shareWords<T extends object>(value: T): T {
  const fields = value as Record<string, unknown>;
  for (const name in fields) {
    const field = fields[name];
    if (typeof field === 'string') fields[name] = sharedWord(field);
    else if (typeof field === 'object' && field !== null) shareWords(field);
  }
  return value;
}
