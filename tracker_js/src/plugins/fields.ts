/**
 * `$input_filled`: a visitor filled in a field, once per field and page view.
 *
 * The value is never read unless the page's author marked the field with `data-track-value`, and never at all for
 * passwords (shown or not), hidden fields, files, and whatever is called like a card, a code or an identity document.
 * Even whether a field is empty is not learnt from its value: the browser is asked whether a copy of the field would
 * pass as a required one, or whether an option with a value is chosen.
 * Fields of one name in one form are one field: the buttons of a group, the rows of a table.
 */
import type { Props } from "../catalogue";
import { listen } from "../guard";
import { views } from "../page";
import { recordAutomatic } from "../recorder";

type Field = HTMLInputElement | HTMLTextAreaElement | HTMLSelectElement;

/** Attributes that say what a field is for: `autocomplete`, `aria-label`, `id`, `name`, `placeholder`, `pattern`. */
const TELLING = /^[ainp]/;
/** Of these words and the type in front of them. The last part is a pattern that asks for three digits or more. */
const SECRET =
  /^[hf]i|pass(?!e)|pwd|card|cv[cv]|one.?time|secur|verif|sms|iban|snils|docu|licen|[^a-z](cc|otp|ssn|tax|pin(?![a-z]))|(\\d|9]).*{.*[3-9]/i;

// a form's own methods may be hidden by fields of the same name
const { prototype } = Element;

/** Reads an attribute. */
export const read = (element: Element | null, name: string): string =>
  (element && prototype.getAttribute.call(element, name)) || "";

/** Returns what the page calls a form or field. */
export const nameOf = (element: Element | null): string => read(element, "name") || read(element, "id");

export const isIgnored = (element: Element): unknown =>
  prototype.closest.call(element, "[data-track-ignore]");

const isEmpty = (field: Field): boolean => {
  if ("options" in field) return ![...field.selectedOptions].some(({ value }) => value);
  const copy = field.cloneNode() as HTMLInputElement;
  copy.required = true;
  return copy.validity.valueMissing;
};

export const watchFields = (): void => {
  const told: unknown[] = [];
  const shown = new WeakSet<Node>();
  // whatever changes its type while the page lives is, or was, a password that can be shown
  new MutationObserver((changes) => changes.forEach(({ target }) => shown.add(target))).observe(document, {
    subtree: true,
    attributeFilter: ["type"],
  });
  listen("change", (event: Event) => {
    const field = event.target as Field;
    const { form, type } = field;
    const props: Props = { $field: nameOf(field), $field_type: type, $form: nameOf(form) };
    const key = views + JSON.stringify(props);
    if (!event.isTrusted || told.includes(key) || isIgnored(field) || isEmpty(field)) return;
    told.push(key);
    const words = [...field.attributes].map(({ name, value }) => TELLING.test(name) && value);
    if (field.hasAttribute("data-track-value") && !shown.has(field) && !SECRET.test(`${type} ${words}`)) {
      props.$value = field.value;
    }
    recordAutomatic("$input_filled", props);
  });
};
