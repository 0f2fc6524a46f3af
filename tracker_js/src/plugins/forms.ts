/** `$form_sended`: a form is submitted. Names only, never what was filled in. */
import { listen } from "../guard";
import { bare } from "../page";
import { recordAutomatic } from "../recorder";
import { isIgnored, nameOf, read } from "./fields";

export const watchForms = (): void =>
  listen("submit", (event: Event) => {
    const form = event.target as HTMLFormElement;
    if (isIgnored(form)) return;
    const fields = ([...form] as HTMLInputElement[]).filter(
      (field) => !isIgnored(field) && field.matches("input:not([type=hidden]),textarea,select"),
    );
    recordAutomatic("$form_sended", {
      $form: nameOf(form),
      $action: bare(read(form, "action")),
      $fields: [...new Set(fields.map(nameOf))].filter(Boolean),
    });
  });
