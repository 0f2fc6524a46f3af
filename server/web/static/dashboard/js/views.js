// On narrow screens: the stream or the counts. On wide ones both are there, and the buttons are not.

const buttons = [...document.querySelectorAll("[data-show]")];

for (const button of buttons) {
  button.addEventListener("click", () => {
    document.body.dataset.view = button.dataset.show;
    for (const each of buttons) each.setAttribute("aria-pressed", String(each === button));
  });
}
