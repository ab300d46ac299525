import { InvalidParameterError } from "../../base/errors.ts";
import type { RuntimeBinary } from "../../core/container/runtime.ts";

/** The OCI runtimes of the daemon's configuration, by name. */
export class RuntimeTable {
	readonly #binaries: ReadonlyMap<string, RuntimeBinary>;

	constructor(binaries: Iterable<RuntimeBinary>) {
		this.#binaries = new Map([...binaries].map((binary) => [binary.name, binary]));
	}

	/** @throws InvalidParameterError */
	get(name: string): RuntimeBinary {
		const binary = this.#binaries.get(name);
		if (binary === undefined) throw new InvalidParameterError(`unknown or invalid runtime name: ${name}`);
		return binary;
	}

	names(): string[] {
		return [...this.#binaries.keys()];
	}

	all(): RuntimeBinary[] {
		return [...this.#binaries.values()];
	}
}
