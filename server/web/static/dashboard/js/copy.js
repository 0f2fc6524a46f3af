// Copying text. The clipboard is for secure pages only; on plain http the old way still works.

/** Make a button that copies what `read` returns, and says so. */
export function wireCopy(button, read) {
  const label = button.textContent;
  button.addEventListener("click", async () => {
    button.textContent = (await copy(read())) ? "Copied" : "Copying failed";
    setTimeout(() => {
      button.textContent = label;
    }, 2000);
  });
}

async function copy(text) {
  try {
    await navigator.clipboard.writeText(text);
    return true;
  } catch {
    return copyBySelection(text);
  }
}

function copyBySelection(text) {
  const area = document.createElement("textarea");
  area.value = text;
  area.className = "unseen";
  document.body.append(area);
  area.select();
  const isDone = document.execCommand("copy");
  area.remove();
  return isDone;
}
