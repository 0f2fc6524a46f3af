import { expect, test } from "vitest";
import { collector, openPage, pass } from "./browser";

const submissions = () =>
  collector.stored.filter(({ name }) => name === "$form_sended").map(({ props }) => props);

const submit = (html: string, prepare: (form: Element) => void = () => {}) => {
  document.body.innerHTML = html;
  const form = document.querySelector("form")!;
  prepare(form);
  form.dispatchEvent(new Event("submit", { bubbles: true, cancelable: true }));
};

test("a submitted form is told with its name, action and the names of its fields", async () => {
  await openPage();
  submit(`<form name="signup" action="/signup?token=secret#secret">
    <input name="email" value="ann@example.org"><input name="email"><textarea id="about">me</textarea>
    <select name="size"><option>M</option></select><input type="hidden" name="csrf" value="secret">
    <input><button name="go">Go</button></form>`);
  await pass(2000);
  expect(submissions()).toEqual([
    { $form: "signup", $action: "/signup", $fields: ["email", "about", "size"] },
  ]);
  expect(collector.requests.map(({ body }) => body).join()).not.toMatch(/ann@|secret|"me"/);
});

test("a form without a name is told", async () => {
  await openPage();
  submit("<form></form>");
  await pass(2000);
  expect(submissions()).toEqual([{ $form: "", $action: "", $fields: [] }]);
});

test("a form is told even when the page stops or prevents the event", async () => {
  await openPage();
  submit("<form id='search'></form>", (form) =>
    form.addEventListener("submit", (event) => (event.preventDefault(), event.stopImmediatePropagation())),
  );
  await pass(2000);
  expect(submissions().length).toBe(1);
});

test.each(["<form data-track-ignore></form>", "<div data-track-ignore><form></form></div>"])(
  "%s is not told",
  async (html) => {
    await openPage();
    submit(html);
    await pass(2000);
    expect(submissions()).toEqual([]);
  },
);

test("ignored fields of a form are not named", async () => {
  await openPage();
  submit('<form><input name="a"><p data-track-ignore><input name="b"></p></form>');
  await pass(2000);
  expect(submissions()[0]!.$fields).toEqual(["a"]);
});

test("what is submitted right before leaving is handed to a beacon", async () => {
  await openPage();
  submit("<form></form>");
  window.dispatchEvent(new Event("pagehide"));
  expect(submissions().length).toBe(1);
});
