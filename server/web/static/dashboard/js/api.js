// The server's API, asked with the dashboard's cookie. The page stands where the application is mounted.

export class ApiError extends Error {}

/** Return the address of an API path. */
export function apiUrl(path, query = {}) {
  const url = new URL(`api/${path}`, document.baseURI);
  for (const [name, value] of Object.entries(query)) if (value) url.searchParams.set(name, value);
  return url;
}

/** Return the JSON answer; go to the login page when the session has ended. Errors: ApiError. */
export async function get(path, query) {
  let answer;
  try {
    answer = await fetch(apiUrl(path, query), { headers: { Accept: "application/json" } });
  } catch {
    throw new ApiError("The server cannot be reached.");
  }
  // with the address's choices, which the way back brings along
  if (answer.status === 401) location.assign(new URL(`login${location.search}`, document.baseURI));
  if (!answer.ok) throw new ApiError(await reason(answer));
  return answer.json();
}

async function reason(answer) {
  try {
    return (await answer.json()).error.message;
  } catch {
    return `The server answered ${answer.status}.`;
  }
}
