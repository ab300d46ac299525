/** Where a machine's apt gets Debian from: sources.list(5) in both its forms. Pure. */

export interface AptSource {
	readonly uri: string;
	readonly suite: string;
	readonly components: readonly string[];
}

export interface DebianMirrors {
	/** Of the release and its updates. */
	readonly main: string;
	/** Of its security updates; undefined: none are to be had. */
	readonly security: string | undefined;
}

export const DEFAULT_MIRRORS: DebianMirrors = {
	main: "http://deb.debian.org/debian",
	security: "http://deb.debian.org/debian-security",
};

/** One-line entries: `deb [options] URI suite component…`. */
export function parseSourcesList(text: string): AptSource[] {
	return text.split("\n").flatMap((line) => {
		const match = /^\s*deb\s+(?:\[[^\]]*\]\s+)?(\S+)\s+(\S+)\s*([^#]*)/.exec(line);
		if (match === null) return [];
		const [, uri = "", suite = "", rest = ""] = match;
		return [{ uri: withoutSlash(uri), suite, components: words(rest) }];
	});
}

/** Stanzas of fields, as in debian.sources. */
export function parseDeb822Sources(text: string): AptSource[] {
	return text.split(/\n\s*\n/).flatMap((stanza) => {
		const fields = parseStanza(stanza);
		const types = words(fields.get("types") ?? "");
		if (!types.includes("deb") || /^(no|false|0)$/i.test(fields.get("enabled") ?? "")) return [];
		const components = words(fields.get("components") ?? "");
		return words(fields.get("uris") ?? "").flatMap((uri) =>
			words(fields.get("suites") ?? "").map((suite) => ({ uri: withoutSlash(uri), suite, components })),
		);
	});
}

/** The mirrors of Debian itself among everything apt asks: those of a release with `main`, and of a security suite. */
export function debianMirrors(sources: readonly AptSource[]): DebianMirrors {
	const ofDebian = sources.filter(({ uri, components }) => /^https?:/.test(uri) && components.includes("main"));
	const security = ofDebian.find(({ suite, uri }) => /-security$|\/updates$/.test(suite) && uri.includes("security"));
	const main = ofDebian.find(({ suite, uri }) => !/[-/]/.test(suite) && /\/debian$/.test(uri));
	if (main === undefined) return DEFAULT_MIRRORS;
	return { main: main.uri, security: security?.uri };
}

/** Fields of one stanza in lower case; continuation lines are joined, comments left out. */
export function parseStanza(text: string): Map<string, string> {
	const fields = new Map<string, string>();
	let last = "";
	for (const line of text.split("\n")) {
		if (line.startsWith("#")) continue;
		const match = /^([A-Za-z0-9-]+):\s*(.*)$/.exec(line);
		if (match !== null) {
			last = (match[1] ?? "").toLowerCase();
			fields.set(last, match[2] ?? "");
		} else if (/^\s/.test(line) && last !== "") fields.set(last, `${fields.get(last) ?? ""}\n${line.trim()}`);
	}
	return fields;
}

function words(text: string): string[] {
	return text.split(/\s+/).filter((word) => word !== "");
}

function withoutSlash(uri: string): string {
	return uri.replace(/\/+$/, "");
}
