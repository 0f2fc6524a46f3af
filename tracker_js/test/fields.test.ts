import { describe, expect, test, vi } from "vitest";
import { byHand, collector, openPage, pass } from "./browser";

const SECRET = "correct horse";

const fillings = () =>
  collector.stored.filter(({ name }) => name === "$input_filled").map(({ props }) => props);
const wire = () => collector.requests.map(({ body }) => body).join();

const show = <E extends Element = HTMLInputElement>(html: string): E => {
  document.body.innerHTML = html;
  return document.querySelector<E>("[data-it],input,textarea,select")!;
};

/** Fills a field as a person does. */
const fill = (field: Element, value = SECRET) => {
  Object.assign(field, { value });
  field.dispatchEvent(byHand(new Event("change", { bubbles: true })));
};

test("a filled field is told with its name, type and form, without its value", async () => {
  await openPage();
  fill(show('<form name="signup"><input name="email" type="email"></form>'));
  await pass(2000);
  expect(fillings()).toEqual([{ $field: "email", $field_type: "email", $form: "signup" }]);
  expect(wire()).not.toContain(SECRET);
});

test.each([
  ['<textarea id="message"></textarea>', { $field: "message", $field_type: "textarea", $form: "" }],
  ["<input>", { $field: "", $field_type: "text", $form: "" }],
  // fields named like properties of a form hide those
  [
    '<form id="f"><input name="id"><input name="name"></form>',
    { $field: "id", $field_type: "text", $form: "f" },
  ],
])("%s", async (html, expected) => {
  await openPage();
  fill(show(html));
  await pass(2000);
  expect(fillings()).toEqual([expected]);
});

describe("a choice", () => {
  const html = '<select name="size"><option value="">Choose</option><option value="m">M</option></select>';

  test("is a filled field", async () => {
    await openPage();
    fill(show(html), "m");
    await pass(2000);
    expect(fillings()).toEqual([{ $field: "size", $field_type: "select-one", $form: "" }]);
  });

  test("of the empty option is none", async () => {
    await openPage();
    fill(show(html), "");
    await pass(2000);
    expect(fillings()).toEqual([]);
  });
});

test("a field is told once for each view of a page", async () => {
  await openPage();
  const field = show('<input name="email">');
  fill(field);
  fill(field, "another");
  history.pushState({}, "", "/next");
  await pass(150);
  fill(field, "a third");
  await pass(2000);
  expect(fillings().length).toBe(2);
});

test.each<[string, () => void]>([
  ["is empty", () => fill(show('<input name="a">'), "")],
  [
    "a script has changed",
    () => {
      const field = show('<input name="a">');
      field.value = SECRET;
      field.dispatchEvent(new Event("change", { bubbles: true }));
    },
  ],
  ["is to be ignored", () => fill(show('<input data-track-ignore name="a">'))],
  [
    "stands in what is to be ignored",
    () => fill(show('<div data-track-ignore><p><input name="a"></p></div>')),
  ],
])("a field that %s is not told", async (_, act) => {
  await openPage();
  act();
  await pass(2000);
  expect(fillings()).toEqual([]);
});

test("a field is told even when the page stops the event", async () => {
  await openPage();
  const field = show('<input name="a">');
  field.addEventListener("change", (event) => event.stopImmediatePropagation());
  fill(field);
  await pass(2000);
  expect(fillings().length).toBe(1);
});

describe("the value", () => {
  test("is not read, not even to see whether there is one", async () => {
    await openPage();
    const field = show('<input name="a">');
    field.value = SECRET;
    const read = vi.fn();
    Object.defineProperty(field, "value", { get: read });
    field.dispatchEvent(byHand(new Event("change", { bubbles: true })));
    await pass(2000);
    expect([fillings().length, read.mock.calls.length]).toEqual([1, 0]);
  });

  test("is told where the page's author marked the field", async () => {
    await openPage();
    fill(show('<input name="city" data-track-value>'), "Riga");
    await pass(2000);
    expect(fillings()[0]).toMatchObject({ $value: "Riga" });
  });

  test.each([
    '<input data-track-value type="password">',
    '<input data-track-value type="hidden">',
    '<input data-track-value type="text" autocomplete="current-password">',
    '<input data-track-value type="text" autocomplete="new-password">',
    '<input data-track-value autocomplete="cc-number">',
    '<input data-track-value autocomplete="section-a billing CC-CSC">',
    '<input data-track-value autocomplete="one-time-code">',
    '<input name="otp" data-track-value>',
    '<input data-track-value name="cardNumber">',
    '<input data-track-value name="cc_num">',
    '<input data-track-value id="passport_no">',
    '<input data-track-value aria-label="Security code">',
    '<input data-track-value placeholder="Your PIN">',
    '<input data-track-value pattern="[0-9]{13,19}">',
    '<input data-track-value pattern="(\\\\d{4} ?){4}">',
  ])("is never told, marked or not: %s", async (html) => {
    await openPage();
    fill(show(html));
    await pass(2000);
    expect(fillings().every((props) => !("$value" in props))).toBe(true);
    expect(wire()).not.toContain(SECRET);
  });
});

test.each(["city", "passengers", "profile", "account", "spinner", "discount_code"])(
  "is told where the author marked %s",
  async (name) => {
    await openPage();
    fill(show(`<input name="${name}" class="card__field" data-track-value pattern="[A-Z]{5}">`), "Riga");
    await pass(2000);
    expect(fillings()[0]).toMatchObject({ $value: "Riga" });
  },
);

test("the value of a password that was shown is not told", async () => {
  await openPage();
  const field = show('<input name="a" data-track-value type="password">');
  field.type = "text";
  await pass(1);
  fill(field);
  await pass(2000);
  expect(fillings().map(({ $field_type, $value }) => [$field_type, $value])).toEqual([["text", undefined]]);
});

test("the buttons of a group are one field", async () => {
  await openPage();
  document.body.innerHTML = '<input type="radio" name="a" value="1"><input type="radio" name="a" value="2">';
  document.querySelectorAll("input").forEach((button) => {
    button.setAttribute("checked", "");
    button.dispatchEvent(byHand(new Event("change", { bubbles: true })));
  });
  await pass(2000);
  expect(fillings().length).toBe(1);
});

test("fields can be left out", async () => {
  await openPage({ options: { disable: "input_filled,form_sended" } });
  fill(show('<input name="a">'));
  await pass(2000);
  expect(fillings()).toEqual([]);
});
