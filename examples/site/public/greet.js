const answer = await fetch("/api/greet/visitor");
document.querySelector("#greeting").textContent = await answer.text();
