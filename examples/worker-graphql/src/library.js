export const authors = [
  { id: "a1", name: "Jane Austen" },
  { id: "a2", name: "Mary Shelley" },
];

export const books = [
  { title: "Pride and Prejudice", year: 1813, author: "a1" },
  { title: "Emma", year: 1815, author: "a1" },
  { title: "Frankenstein", year: 1818, author: "a2" },
];
