export interface Note {
  title: string;
  text: string;
}

export class Invalid extends Error {}

// parse checks what a client sent.
export function parse(value: unknown): Note {
  const { title, text = "" } = (value ?? {}) as Partial<Note>;
  if (typeof title !== "string" || title.trim() === "") throw new Invalid("a note needs a title");
  if (title.length > 100) throw new Invalid("a title has at most 100 characters");
  if (typeof text !== "string") throw new Invalid("text must be a string");
  return { title: title.trim(), text };
}
