import { assertValidSchema, buildSchema } from "graphql";
import { authors, books } from "./library.js";
import text from "./schema.graphql.txt";

export const schema = buildSchema(text);
assertValidSchema(schema);

const withAuthor = book => ({ ...book, author: () => withBooks(authors.find(a => a.id === book.author)) });
const withBooks = author => author && { ...author, books: () => books.filter(b => b.author === author.id).map(withAuthor) };

export const root = {
  books: ({ year }) => books.filter(b => year === undefined || b.year === year).map(withAuthor),
  author: ({ id }) => withBooks(authors.find(a => a.id === id)),
};
