/** What package managers write down about what they installed. Read as it stands: lines that make no sense are passed over. */

export interface InstalledPackage {
	readonly kind: "deb" | "apk" | "pypi" | "npm";
	readonly name: string;
	readonly version: string;
	/** Of the packages of distributions. */
	readonly architecture?: string;
	/** In the words of whoever made the package; rarely an SPDX expression. */
	readonly license?: string;
	/** Database or file it was found in, absolute in the image. */
	readonly foundIn: string;
}

/** dpkg's `status`, or one file of `status.d` (distroless images, which have no `Status` fields). */
export function parseDpkgStatus(text: string, foundIn: string): InstalledPackage[] {
	return text.split(/\n\s*\n/).flatMap((paragraph) => {
		const fields = headers(paragraph);
		const { package: name, version, architecture, status } = fields;
		if (name === undefined || version === undefined) return [];
		// Removed packages leave their configuration, and a paragraph about it.
		if (status !== undefined && !/ installed$/.test(status)) return [];
		return [{ kind: "deb", name, version, ...(architecture === undefined ? {} : { architecture }), foundIn }];
	});
}

/** apk's `installed`: one letter, a colon, a value. */
export function parseApkInstalled(text: string, foundIn: string): InstalledPackage[] {
	return text.split(/\n\n+/).flatMap((paragraph) => {
		const fields = new Map<string, string>();
		for (const line of paragraph.split("\n")) if (line[1] === ":") fields.set(line.slice(0, 1), line.slice(2));
		const [name, version, architecture, license] = ["P", "V", "A", "L"].map((key) => fields.get(key));
		if (name === undefined || version === undefined) return [];
		const more = { ...(architecture ? { architecture } : {}), ...(license ? { license } : {}) };
		return [{ kind: "apk", name, version, ...more, foundIn }];
	});
}

/** `METADATA` of a `.dist-info`, `PKG-INFO` of an `.egg-info`. */
export function parsePythonMetadata(text: string, foundIn: string): InstalledPackage[] {
	const fields = headers(text.split(/\r?\n\r?\n/, 1)[0] ?? "");
	const { name, version } = fields;
	if (name === undefined || version === undefined) return [];
	const license = fields["license-expression"] ?? fields["license"];
	return [{ kind: "pypi", name, version, ...(license ? { license } : {}), foundIn }];
}

/** `package.json` of an installed package. */
export function parseNpmPackage(text: string, foundIn: string): InstalledPackage[] {
	let value: unknown;
	try {
		value = JSON.parse(text);
	} catch {
		// Not for npm, whatever it is.
		return [];
	}
	const { name, version, license } = (value ?? {}) as Record<string, unknown>;
	if (typeof name !== "string" || typeof version !== "string" || name === "" || version === "") return [];
	return [{ kind: "npm", name, version, ...(typeof license === "string" ? { license } : {}), foundIn }];
}

/** `ID` of os-release; undefined when there is none. */
export function distributionId(osRelease: string): string | undefined {
	return /^ID="?([\w.-]+)"?$/m.exec(osRelease)?.[1];
}

/** `Name: value` lines by lower-case name; the first of a name counts, lines that go on are left out. */
function headers(text: string): Record<string, string | undefined> {
	const fields: Record<string, string | undefined> = Object.create(null);
	for (const line of text.split(/\r?\n/)) {
		const [, name, value] = /^([A-Za-z][\w-]*):[ \t]*(.*?)[ \t]*$/.exec(line) ?? [];
		if (name !== undefined && value) fields[name.toLowerCase()] ??= value;
	}
	return fields;
}
