/**
 * One record of comma-separated values (RFC 4180: a field in double quotes may hold commas; a quote is doubled), as `--mount`,
 * `--network` and others take.
 * @throws Error when the quotes are wrong
 */
export function splitCommaFields(text: string): string[] {
	const fields: string[] = [];
	let at = 0;
	for (;;) {
		let field = "";
		if (text[at] === '"') {
			at++;
			for (;;) {
				const quote = text.indexOf('"', at);
				if (quote < 0) throw new Error('parse error on line 1: extraneous or missing " in quoted-field');
				field += text.slice(at, quote);
				at = quote + 1;
				if (text[at] !== '"') break;
				field += '"';
				at++;
			}
			if (at < text.length && text[at] !== ",")
				throw new Error('parse error on line 1: extraneous or missing " in quoted-field');
		} else {
			const comma = text.indexOf(",", at);
			field = text.slice(at, comma < 0 ? text.length : comma);
			if (field.includes('"')) throw new Error('parse error on line 1: bare " in non-quoted-field');
			at += field.length;
		}
		fields.push(field);
		if (at >= text.length) return fields;
		at++;
	}
}
