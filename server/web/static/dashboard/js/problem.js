// The line that says what is wrong.
const line = document.getElementById("problem");

/** Say what is wrong, or with an empty text that nothing is. */
export function showProblem(text) {
  line.textContent = text;
  line.hidden = text === "";
}
