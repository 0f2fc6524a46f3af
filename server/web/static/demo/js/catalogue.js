// A search is an event of the shop's own invention: any name will do.
import { track } from "./track.js";

const found = document.getElementById("found");
if (found) track("Searched", { query: found.dataset.query, results: Number(found.dataset.results) });
