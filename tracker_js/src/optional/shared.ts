/** What several plugins share. */

/** Returns an address without query and hash, which may name a person or carry a token. */
export const bare = (url: string): string => url.split(/[?#]/)[0]!;
