import type { BuildOutput } from "../../core/build/request.ts";
import { parseBoolean, parseKeyValues } from "./key-values.ts";

/** An output of the request, and where the client writes it. */
export interface ParsedOutput {
	readonly output: BuildOutput;
	/** Undefined for what stays in the daemon or goes to a registry. */
	readonly destination?:
		| { readonly kind: "directory"; readonly path: string }
		| { readonly kind: "file"; readonly path: string }
		| { readonly kind: "stdout" };
}

/**
 * One `--output`: `out` and `type=local,dest=out` a directory, `-` and `type=tar` an archive on standard output, `type=registry` an image that is
 * pushed. Undefined for `type=cacheonly`, which keeps nothing.
 * @throws Error
 */
export function parseOutput(text: string): ParsedOutput | undefined {
	if (text === "-") return { output: { type: "tar", attributes: {} }, destination: { kind: "stdout" } };
	if (!text.includes("=") && !text.includes(","))
		return { output: { type: "local", attributes: {} }, destination: { kind: "directory", path: text } };
	const values = parseKeyValues(text);
	const type = values.get("type") ?? "";
	const path = values.get("dest") ?? "";
	for (const key of ["type", "dest"]) values.delete(key);
	const attributes = Object.fromEntries(values);
	const inFile = (kind: "tar" | "oci" | "docker"): ParsedOutput => ({
		output: { type: kind, attributes },
		destination: path === "" || path === "-" ? { kind: "stdout" } : { kind: "file", path },
	});
	switch (type) {
		case "":
			throw new Error("type is required for output");
		case "cacheonly":
			return undefined;
		case "image":
			return { output: { type: "image", attributes } };
		case "registry":
			return { output: { type: "image", attributes: { ...attributes, push: "true" } } };
		case "docker":
			// Without a file it is what `--load` asks for.
			return path === "" ? { output: { type: "image", attributes } } : inFile("docker");
		case "local":
			if (path === "") throw new Error("dest is required for local exporter");
			return { output: { type: "local", attributes }, destination: { kind: "directory", path } };
		case "tar":
			return inFile("tar");
		case "oci": {
			const isUnpacked = attributes["tar"] !== undefined && !parseBoolean(attributes["tar"], "tar");
			if (!isUnpacked) return inFile("oci");
			if (path === "") throw new Error("dest is required for oci exporter");
			return { output: { type: "oci", attributes }, destination: { kind: "directory", path } };
		}
		default:
			throw new Error(`invalid output type '${type}': local, tar, oci, docker, image, registry or cacheonly`);
	}
}

/** All outputs of a command line, `--push` and `--load` included; an image in the daemon's store when nothing is said. */
export function parseOutputs(
	texts: readonly string[],
	{ push, load }: { readonly push: boolean; readonly load: boolean },
): ParsedOutput[] {
	const outputs = texts.map(parseOutput);
	const given = outputs.filter((output) => output !== undefined);
	const image = given.findIndex(({ output }) => output.type === "image");
	if (push) {
		if (image < 0) given.push({ output: { type: "image", attributes: { push: "true" } } });
		else given[image] = withAttribute(given[image] as ParsedOutput, "push", "true");
	} else if (load && image < 0) given.push({ output: { type: "image", attributes: {} } });
	if (given.length === 0 && outputs.length === 0) return [{ output: { type: "image", attributes: {} } }];
	if (given.filter(({ destination }) => destination?.kind === "stdout").length > 1)
		throw new Error("only one output can go to standard output");
	return given;
}

function withAttribute({ output, ...rest }: ParsedOutput, name: string, value: string): ParsedOutput {
	return { ...rest, output: { ...output, attributes: { ...output.attributes, [name]: value } } };
}
