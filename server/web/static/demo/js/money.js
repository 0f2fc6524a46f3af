const spaced = new Intl.NumberFormat("en", { useGrouping: true });

/** Return whole euros for people: 1180 becomes "1 180 €" with narrow spaces. */
export function euros(amount) {
  return `${spaced.format(amount).replaceAll(",", "\u2009")}\u202f€`;
}
