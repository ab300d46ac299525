import type { BuildOutput, CacheEndpoint } from "../../../core/build/request.ts";
import type { LayoutTarget } from "./client-answers.ts";
import type { LayoutDescriptor } from "./layout-sink.ts";

/** The store of an output; there can be one. */
const OUTPUT_STORE = "export";

/** Outputs and caches of a build that are OCI layouts of the client's. It gets blobs, and writes the layout's index itself. */
export class Layouts {
	/** By the output's index; those of caches follow after the outputs. */
	readonly targets = new Map<number, LayoutTarget>();
	readonly #response = new Map<string, string>();

	constructor(outputs: readonly BuildOutput[], cacheTo: readonly CacheEndpoint[]) {
		for (const [index, { type, attributes }] of outputs.entries())
			if ((type === "oci" || type === "docker") && attributes["tar"] === "false")
				this.#add(index, OUTPUT_STORE, (descriptor) => [
					"containerimage.descriptor",
					Buffer.from(JSON.stringify(descriptor)).toString("base64"),
				]);
		for (const [at, { type, attributes }] of cacheTo.entries())
			if (type === "local")
				this.#add(outputs.length + at, `local:${attributes["dest"] ?? ""}`, (descriptor) => [
					"cache.manifest",
					JSON.stringify(descriptor),
				]);
	}

	/** What the client has to know for its index. */
	response(): ReadonlyMap<string, string> {
		return this.#response;
	}

	#add(index: number, name: string, tell: (descriptor: LayoutDescriptor) => readonly [string, string]): void {
		const onDescriptor = (descriptor: LayoutDescriptor) => void this.#response.set(...tell(descriptor));
		this.targets.set(index, { name, onDescriptor });
	}
}
