/** Headers of calls to a session: lists of texts, escaped as a whole where one of them is not plain ASCII. */
export type SessionHeaders = Readonly<Record<string, string | readonly string[]>>;

const PLAIN = /^[ -~]*$/;

/** Lists that are empty are left out. */
export function sessionHeaders(lists: Readonly<Record<string, readonly string[]>>): SessionHeaders {
	const headers: Record<string, string | readonly string[]> = {};
	for (const [name, values] of Object.entries(lists)) {
		if (values.length === 0) continue;
		// A header's value loses spaces at its ends.
		const isPlain = values.every((value) => PLAIN.test(value) && value === value.trim());
		headers[name] = isPlain ? values : values.map(encodeURIComponent);
		if (!isPlain) headers[`${name}-encoded`] = "1";
	}
	return headers;
}
