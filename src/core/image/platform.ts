import type { Platform } from "../../api/oci/image.ts";
import { InvalidParameterError } from "../../base/errors.ts";

const ARCHITECTURES: Readonly<Record<string, string>> = {
	x86_64: "amd64",
	"x86-64": "amd64",
	x64: "amd64",
	aarch64: "arm64",
	i386: "386",
	i686: "386",
	ia32: "386",
};

/** `linux/arm64/v8`, `linux`, `arm64`. @throws InvalidParameterError */
export function parsePlatform(text: string): Platform {
	const parts = text.toLowerCase().split("/");
	if (parts.length > 3 || !parts.every((part) => /^[a-z0-9_.-]+$/.test(part)))
		throw new InvalidParameterError(`"${text}": unknown operating system or architecture: invalid argument`);
	const [first = "", second, variant] = parts;
	if (second === undefined && first !== "linux") return { os: "linux", architecture: normalised(first) };
	return {
		os: first,
		architecture: normalised(second ?? "amd64"),
		...(variant === undefined ? {} : { variant }),
	};
}

function normalised(architecture: string): string {
	return ARCHITECTURES[architecture] ?? architecture;
}
