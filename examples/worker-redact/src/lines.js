// lines makes chunks of text, however they are cut, into lines with their ends.
export function lines() {
  let rest = "";
  return new TransformStream({
    transform(chunk, controller) {
      const all = (rest + chunk).split(/(?<=\n)/);
      rest = all.pop();
      for (const line of all) controller.enqueue(line);
    },
    flush(controller) {
      if (rest !== "") controller.enqueue(rest);
    },
  });
}
