/** The library of base images: what there is, what it stands on, what its tags are called. Pure. */

export interface LibraryImage {
	readonly name: string;
	/** Arguments of `gantry image bootstrap`; undefined for one with a Dockerfile in the folder of its name. */
	readonly bootstrap?: readonly string[];
	/** What the Dockerfile begins with. */
	readonly base?: string;
	/** The package whose version the tags have. */
	readonly versionOf?: string;
}

const SLIM = "debian-slim";

/** In an order in which every image comes after its base. */
export const LIBRARY: readonly LibraryImage[] = [
	{ name: "busybox", bootstrap: ["busybox"] },
	{ name: "debian", bootstrap: ["debian"] },
	{ name: SLIM, bootstrap: ["--slim", "debian"] },
	{ name: "nginx", base: SLIM, versionOf: "nginx" },
	{ name: "redis", base: SLIM, versionOf: "redis-server" },
	{ name: "python", base: SLIM, versionOf: "python3" },
	{ name: "node", base: SLIM, versionOf: "nodejs" },
	{ name: "postgres", base: SLIM, versionOf: "postgresql-15" },
];

/** The named images (all of them when none is named) and what they stand on, in the order of making. @throws Error for an unknown name */
export function chooseImages(names: readonly string[]): LibraryImage[] {
	const unknown = names.find((name) => !LIBRARY.some((image) => image.name === name));
	if (unknown !== undefined)
		throw new Error(`there is no image "${unknown}"; there are ${LIBRARY.map(({ name }) => name).join(", ")}`);
	const wanted = new Set(names.length === 0 ? LIBRARY.map(({ name }) => name) : names);
	for (const { name, base } of [...LIBRARY].reverse()) if (base !== undefined && wanted.has(name)) wanted.add(base);
	return LIBRARY.filter(({ name }) => wanted.has(name));
}

/** Where it is in the local registry and the image store: slim is a tag, not a repository. */
export function repositoryOf({ name }: LibraryImage): string {
	return name === SLIM ? "debian" : name;
}

/** @param packageVersion as dpkg has it: `5:7.0.15-1~deb12u6` */
export function versionTags(packageVersion: string): string[] {
	const upstream = packageVersion.replace(/^\d+:/, "").replace(/-[^-]*$/, "");
	const numbers = /^\d+(?:\.\d+)*/.exec(upstream)?.[0].split(".") ?? [];
	return numbers.map((_, index) => numbers.slice(0, numbers.length - index).join("."));
}

/** All tags of an image of a suite. */
export function tagsOf(image: LibraryImage, suite: string, packageVersion: string | undefined): string[] {
	if (image.name === "busybox") return ["latest"];
	if (image.name === "debian") return ["latest", suite];
	if (image.name === SLIM) return [`${suite}-slim`];
	return ["latest", suite, ...(packageVersion === undefined ? [] : versionTags(packageVersion))];
}
