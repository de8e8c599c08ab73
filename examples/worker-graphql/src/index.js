import { graphql } from "graphql";
import { root, schema } from "./schema.js";

export default {
  async fetch(request) {
    const question = await read(request);
    if (typeof question?.query !== "string") return Response.json({ errors: [{ message: "a query is missing" }] }, { status: 400 });
    const { query: source, variables: variableValues, operationName } = question;
    const result = await graphql({ schema, source, rootValue: root, variableValues, operationName });
    return Response.json(result, { status: result.data === undefined ? 400 : 200 });
  },
};

async function read(request) {
  if (request.method === "POST") return request.json().catch(() => undefined);
  return Object.fromEntries(new URL(request.url).searchParams);
}
