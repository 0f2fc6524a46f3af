/**
 * `$input_filled`: a visitor filled in a field, once per field and page view.
 *
 * The value is never read unless the page's author marked the field with `data-track-value`, and never at all for
 * passwords, hidden fields, files, cards and one-time codes. Even whether a field is empty is not learnt from its
 * value: the browser is asked whether a copy of the field would pass as a required one.
 */
import type { Props } from "../catalogue";
import { listen } from "../guard";
import { views } from "../page";
import { recordAutomatic } from "../recorder";

type Field = HTMLInputElement | HTMLTextAreaElement | HTMLSelectElement;

const SECRET = /pass|hidden|file|\bcc-|one-time/i;

/** Returns what the page calls a form or field. By attribute: a form's properties may be hidden by fields of that name. */
export const nameOf = (element: Element | null): string =>
  element?.getAttribute("name") || element?.getAttribute("id") || "";

export const isIgnored = (element: Element): boolean => !!element.closest("[data-track-ignore]");

const isEmpty = (field: Field): boolean => {
  // a choice's first option is its placeholder or its default
  if ("options" in field) return !field.selectedIndex;
  const copy = field.cloneNode() as HTMLInputElement;
  copy.required = true;
  return copy.validity.valueMissing;
};

export const watchFields = (): void => {
  const told = new WeakMap<Element, number>();
  listen("change", (event: Event) => {
    const field = event.target as Field;
    if (!event.isTrusted || told.get(field) === views || isIgnored(field) || isEmpty(field)) {
      return;
    }
    told.set(field, views);
    const { type } = field;
    const props: Props = { $field: nameOf(field), $field_type: type, $form: nameOf(field.form) };
    if (
      field.hasAttribute("data-track-value") &&
      !SECRET.test(`${type} ${field.getAttribute("autocomplete")}`)
    ) {
      props.$value = field.value;
    }
    recordAutomatic("$input_filled", props);
  });
};
