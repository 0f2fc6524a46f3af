import { expect, test } from "vitest";
import { readAmount } from "../../src/optional/product_data";

test.each<[unknown, number | undefined]>([
  [1290.5, 1290.5],
  [1290.125, 1290.125],
  [NaN, undefined],
  ["990", 990],
  ["-5", -5],
  ["1290.5", 1290.5],
  ["1290,50", 1290.5],
  ["1,290.50", 1290.5],
  ["1.290,50", 1290.5],
  ["1 290,50", 1290.5],
  ["1\u00a0290,50 \u20bd", 1290.5],
  ["1'290.00", 1290],
  ["12 990", 12_990],
  ["1,290,000", 1_290_000],
  ["1.290.000,9", 1_290_000.9],
  ["1290.125", undefined],
  ["0.125", undefined],
  ["990 EUR", 990],
  ["1,290", undefined],
  ["1.290", undefined],
  ["1,290.500", undefined],
  ["1,29,00", undefined],
  ["", undefined],
  ["free", undefined],
  [undefined, undefined],
  [null, undefined],
])("the amount of %j is %j", (value, amount) => {
  expect(readAmount(value)).toBe(amount);
});
