import type { Platform } from "../../api/oci/image.ts";
import { InvalidParameterError } from "../../base/errors.ts";
import { familiar } from "./reference.ts";

const ARCHITECTURES: Readonly<Record<string, string>> = {
	x86_64: "amd64",
	"x86-64": "amd64",
	x64: "amd64",
	aarch64: "arm64",
	i386: "386",
	i686: "386",
	ia32: "386",
};

const OPERATING_SYSTEMS =
	/^(aix|android|darwin|dragonfly|freebsd|hurd|illumos|ios|js|linux|nacl|netbsd|openbsd|plan9|solaris|wasip1|windows|zos)$/;
const KNOWN_ARCHITECTURES =
	/^(386|amd64|amd64p32|arm|armbe|armhf|armel|arm64|arm64be|loong64|mips|mipsle|mips64|mips64le|mips64p32|mips64p32le|ppc|ppc64|ppc64le|riscv|riscv64|s390|s390x|sparc|sparc64|wasm)$/;

/** `linux/arm64/v8`, `linux`, `arm64`. @throws InvalidParameterError */
export function parsePlatform(text: string): Platform {
	const parts = text.toLowerCase().split("/");
	if (parts.length > 3) throw new InvalidParameterError(`"${text}": cannot parse platform specifier: invalid argument`);
	if (!parts.every((part) => /^[a-z0-9_.-]+$/.test(part)))
		throw new InvalidParameterError(`"${text}": unknown operating system or architecture: invalid argument`);
	const [first = "", second, variant] = parts;
	if (second === undefined && !OPERATING_SYSTEMS.test(first)) {
		if (!KNOWN_ARCHITECTURES.test(normalised(first)))
			throw new InvalidParameterError(`"${text}": unknown operating system or architecture: invalid argument`);
		return { os: "linux", architecture: normalised(first) };
	}
	return {
		os: first,
		architecture: normalised(second ?? "amd64"),
		...(variant === undefined ? {} : { variant }),
	};
}

/** Whether an image is for the platform; one without a variant suits every variant. */
export function suitsPlatform(wanted: Platform, image: Platform): boolean {
	if (wanted.os !== image.os || wanted.architecture !== normalised(image.architecture)) return false;
	return (wanted.variant ?? "") === "" || (image.variant ?? "") === "" || wanted.variant === image.variant;
}

/** In the words clients look for. @param reference normalised */
export function wrongPlatform(reference: string, image: Platform, wanted: Platform): string {
	return `image with reference ${familiar(reference)} was found but its platform (${formatPlatform(image)}) does not match the specified platform (${formatPlatform(wanted)})`;
}

export function formatPlatform({ os, architecture, variant }: Platform): string {
	return [os, architecture, ...((variant ?? "") === "" ? [] : [variant])].join("/");
}

/** The API's `platform` parameter: an `ocispec.Platform` in JSON. Undefined for "". @throws InvalidParameterError */
export function parsePlatformJson(text: string): Platform | undefined {
	if (text === "") return undefined;
	let value: Partial<Platform> | null;
	try {
		value = JSON.parse(text);
	} catch (cause) {
		throw new InvalidParameterError(`failed to parse platform: ${text}`, { cause });
	}
	const { os, architecture, variant } = value ?? {};
	if (typeof os !== "string" || typeof architecture !== "string" || os === "" || architecture === "")
		throw new InvalidParameterError("both OS and Architecture must be provided");
	return { os, architecture: normalised(architecture), ...(typeof variant === "string" ? { variant } : {}) };
}

function normalised(architecture: string): string {
	return ARCHITECTURES[architecture] ?? architecture;
}
