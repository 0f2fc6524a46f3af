/** `$form_sended`: a form is submitted. Names only, never what was filled in. */
import { listen } from "../guard";
import { recordAutomatic } from "../recorder";
import { isIgnored, nameOf } from "./fields";

export const watchForms = (): void =>
  listen("submit", (event: Event) => {
    const form = event.target as HTMLFormElement;
    if (isIgnored(form)) return;
    const fields = [...form.elements].filter(
      (field) => !isIgnored(field) && field.matches("input:not([type=hidden]),textarea,select"),
    );
    recordAutomatic("$form_sended", {
      $form: nameOf(form),
      // without its query, which may name a person
      $action: (form.getAttribute("action") || "").split("?")[0],
      $fields: [...new Set(fields.map(nameOf))].filter(Boolean),
    });
  });
