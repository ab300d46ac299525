import { errorMessage } from "../../base/errors.ts";
import { isRecord, isRowView, isTrue, printValue, typeName } from "./go-values.ts";
import { FUNCTIONS, type TemplateFunction } from "./template-functions.ts";
import { type CommandNode, type Node, type Operand, type Pipeline, parseTemplate } from "./template-parser.ts";
import { TemplateError } from "./template-tokens.ts";

export interface TemplateOptions {
	/** Replace functions of the same name, as tables do for their header line. */
	functions?: Readonly<Record<string, TemplateFunction>>;
}

/** Maps whose keys are the user's: a key that is not there has no value, while anywhere else it is a mistake in the template. */
const MAP_FIELDS = new Set(
	(
		"Annotations Attributes Config Data DriverOpts EndpointsConfig ExposedPorts Labels Networks Options PortBindings Ports StorageOpt " +
		"Sysctls Tmpfs Volumes Containers"
	).split(" "),
);

/** Parts that an object has only sometimes; without them they print as Go's nil. */
const OPTIONAL_FIELDS = new Set(["Health", "Healthcheck"]);

/** Lists that JSON has as null when they are empty. Go prints them, and such maps, as empty, and all else that is null as nil. */
const LIST_FIELDS = new Set(
	(
		"Aliases Binds BlkioDeviceReadBps BlkioDeviceReadIOps BlkioDeviceWriteBps BlkioDeviceWriteIOps BlkioWeightDevice CapAdd CapDrop Cmd " +
		"DNSNames DeviceCgroupRules DeviceRequests Devices Dns DnsOptions DnsSearch Entrypoint Env ExecIDs ExtraHosts GroupAdd Links Log " +
		"MaskedPaths Mounts OnBuild ReadonlyPaths RepoDigests RepoTags SecondaryIPAddresses SecondaryIPv6Addresses SecurityOpt Shell " +
		"Ulimits VolumesFrom"
	).split(" "),
);

function printNull({ commands }: Pipeline): string {
	const [word] = commands.at(-1)?.words ?? [];
	const name = word?.kind === "fields" ? (word.names.at(-1) ?? "") : "";
	return MAP_FIELDS.has(name) ? "map[]" : LIST_FIELDS.has(name) ? "[]" : "<nil>";
}

class LoopControl {
	constructor(readonly kind: "break" | "continue") {}
}

/** A parsed template of Go's text/template. */
export class Template {
	readonly #nodes: Node[];

	/** @throws TemplateError */
	constructor(
		private readonly source: string,
		private readonly options: TemplateOptions = {},
	) {
		this.#nodes = parseTemplate(source);
	}

	/** @throws TemplateError */
	execute(data: unknown): string {
		const output: string[] = [];
		this.#walk(this.#nodes, { dot: data, variables: new Scope(undefined, [["$", data]]), output });
		return output.join("");
	}

	#walk(nodes: readonly Node[], frame: Frame): void {
		for (const node of nodes) {
			switch (node.kind) {
				case "text":
					frame.output.push(node.text);
					break;
				case "action": {
					const value = this.#pipeline(node.pipeline, frame);
					if (node.pipeline.variables.length > 0) break;
					frame.output.push(value === null ? printNull(node.pipeline) : this.#print(value));
					break;
				}
				case "if":
				case "with":
					this.#branch(node, frame);
					break;
				case "range":
					this.#range(node, frame);
					break;
				default:
					throw new LoopControl(node.kind);
			}
		}
	}

	#print(value: unknown): string {
		if (!(value instanceof MissingValue)) return printValue(value);
		if (value.isOptional) return "<nil>";
		throw this.#error(value.at, value.text, value.message);
	}

	#branch(node: Extract<Node, { kind: "if" | "with" }>, frame: Frame): void {
		const inner = { ...frame, variables: new Scope(frame.variables) };
		const value = this.#pipeline(node.pipeline, inner);
		const isTaken = !(value instanceof MissingValue) && isTrue(value);
		if (isTaken) this.#walk(node.body, node.kind === "with" ? { ...inner, dot: value } : inner);
		else this.#walk(node.otherwise, inner);
	}

	#range(node: Extract<Node, { kind: "range" }>, frame: Frame): void {
		const inner = { ...frame, variables: new Scope(frame.variables) };
		const { variables } = node.pipeline;
		const value = this.#pipeline({ ...node.pipeline, variables: [] }, inner);
		const entries = this.#entries(value, node.pipeline);
		if (entries.length === 0) this.#walk(node.otherwise, inner);
		for (const [key, item] of entries) {
			const scope = new Scope(inner.variables);
			const [first, second] = variables;
			if (first !== undefined) scope.declare(first, second === undefined ? item : key);
			if (second !== undefined) scope.declare(second, item);
			try {
				this.#walk(node.body, { ...inner, dot: item, variables: scope });
			} catch (error) {
				if (!(error instanceof LoopControl)) throw error;
				if (error.kind === "break") return;
			}
		}
	}

	#entries(value: unknown, pipeline: Pipeline): [unknown, unknown][] {
		if (value === null || value === undefined || value instanceof MissingValue) return [];
		if (Array.isArray(value)) return value.map((item, index) => [index, item]);
		if (isRecord(value))
			return Object.keys(value)
				.sort()
				.map((key) => [key, value[key]]);
		if (typeof value === "number" && Number.isInteger(value))
			return Array.from({ length: Math.max(0, value) }, (_, index) => [index, index]);
		throw this.#error(pipeline.at, pipeline.text, `range can't iterate over ${printValue(value)}`);
	}

	#pipeline(pipeline: Pipeline, frame: Frame): unknown {
		let value: unknown;
		for (const [index, command] of pipeline.commands.entries())
			value = this.#command(command, frame, index > 0 ? [value] : []);
		for (const name of pipeline.variables)
			if (pipeline.isAssignment) frame.variables.assign(name, value);
			else frame.variables.declare(name, value);
		return value;
	}

	#command(command: CommandNode, frame: Frame, piped: unknown[]): unknown {
		const [first, ...rest] = command.words;
		if (first === undefined) return undefined;
		if (first.kind === "function") return this.#call(first.name, rest, piped, { command, frame });
		const argumentCount = rest.length + piped.length;
		if (first.kind === "fields") {
			const args = [...rest.map((word) => this.#value(word, frame)), ...piped];
			return this.#fields(first, frame, args);
		}
		if (argumentCount > 0)
			throw this.#error(command.at, command.text, `can't give argument to non-function ${command.text}`);
		return this.#value(first, frame);
	}

	#call(name: string, words: readonly Operand[], piped: unknown[], site: CallSite): unknown {
		const { command, frame } = site;
		if (name === "and" || name === "or") {
			// These stop at the operand that decides.
			let value: unknown = piped[0];
			for (const word of words) {
				value = this.#value(word, frame);
				const truth = !(value instanceof MissingValue) && isTrue(value);
				if (truth === (name === "or")) return value;
			}
			return piped.length > 0 ? piped[0] : value;
		}
		const run = this.options.functions?.[name] ?? FUNCTIONS[name];
		if (run === undefined) throw this.#error(command.at, command.text, `function ${JSON.stringify(name)} not defined`);
		const args = [...words.map((word) => this.#value(word, frame)), ...piped].map((value) =>
			value instanceof MissingValue ? undefined : value,
		);
		try {
			return run(...args);
		} catch (error) {
			throw this.#error(command.at, command.text, `error calling ${name}: ${errorMessage(error)}`);
		}
	}

	#value(operand: Operand, frame: Frame): unknown {
		switch (operand.kind) {
			case "literal":
				return operand.value;
			case "dot":
				return frame.dot;
			case "variable":
				return frame.variables.get(operand.name);
			case "pipeline":
				return this.#pipeline(operand.pipeline, { ...frame, variables: new Scope(frame.variables) });
			case "function":
				return this.#call(operand.name, [], [], {
					command: { words: [operand], at: operand.at, text: operand.name },
					frame,
				});
			case "fields":
				return this.#fields(operand, frame, []);
		}
	}

	#fields(operand: Extract<Operand, { kind: "fields" }>, frame: Frame, args: unknown[]): unknown {
		let value = this.#value(operand.base, frame);
		let parent = "";
		// Messages point at the field that fails, not at the beginning of its chain.
		let at = operand.at + (operand.base.kind === "variable" ? operand.base.name.length : 0);
		for (const [index, name] of operand.names.entries()) {
			const isLast = index === operand.names.length - 1;
			if (value instanceof MissingValue) throw this.#error(value.at, operand.text, value.message);
			value = this.#field(value, name, { operand, at, parent, args: isLast ? args : [] });
			parent = name;
			at += name.length + 1;
		}
		return value;
	}

	#field(value: unknown, name: string, site: FieldSite): unknown {
		const { operand, at, args } = site;
		if (isRowView(value)) {
			const field = value.field(name);
			if (field === undefined) throw this.#error(at, operand.text, `can't evaluate field ${name} in type row`);
			if (typeof field === "function") return field(...args);
			if (args.length > 0) {
				const count = `wrong number of args for ${name}: want 0 got ${args.length}`;
				throw this.#error(at, operand.text, count);
			}
			return field;
		}
		if (value === null || value === undefined) {
			if (MAP_FIELDS.has(site.parent)) return undefined;
			throw this.#error(at, operand.text, `nil pointer evaluating interface {}.${name}`);
		}
		if (!isRecord(value))
			throw this.#error(at, operand.text, `can't evaluate field ${name} in type ${typeName(value)}`);
		if (name in value) return value[name];
		if (MAP_FIELDS.has(site.parent)) return undefined;
		// Docker's own types spell some names in another case than its JSON (ID and Id, DNS and Dns): either will do.
		const similar = Object.keys(value).find((key) => key.toLowerCase() === name.toLowerCase());
		if (similar !== undefined) return value[similar];
		return new MissingValue(name, at, operand.text);
	}

	#error(at: number, text: string, message: string): TemplateError {
		const before = this.source.slice(0, at);
		const line = before.split("\n").length;
		const column = at - (before.lastIndexOf("\n") + 1);
		return new TemplateError(`template: :${line}:${column}: executing "" at <${text}>: ${message}`, "execute");
	}
}

interface Frame {
	dot: unknown;
	variables: Scope;
	output: string[];
}

interface CallSite {
	command: CommandNode;
	frame: Frame;
}

interface FieldSite {
	operand: Extract<Operand, { kind: "fields" }>;
	/** Offset of this field. */
	at: number;
	/** The field before, whose value is looked into. */
	parent: string;
	args: unknown[];
}

/** A field that an object does not have: false in conditions, an error when printed or looked into. */
class MissingValue {
	constructor(
		readonly name: string,
		readonly at: number,
		readonly text: string,
	) {}

	get message(): string {
		return `map has no entry for key ${JSON.stringify(this.name)}`;
	}

	/** What JSON says of it. */
	toJSON(): null {
		return null;
	}

	/** What it prints as where it may be missing. */
	get isOptional(): boolean {
		return OPTIONAL_FIELDS.has(this.name);
	}
}

class Scope {
	readonly #values: Map<string, unknown>;

	constructor(
		private readonly parent: Scope | undefined,
		entries: Iterable<[string, unknown]> = [],
	) {
		this.#values = new Map(entries);
	}

	declare(name: string, value: unknown): void {
		this.#values.set(name, value);
	}

	assign(name: string, value: unknown): void {
		if (this.#values.has(name) || this.parent === undefined) this.#values.set(name, value);
		else this.parent.assign(name, value);
	}

	get(name: string): unknown {
		return this.#values.has(name) ? this.#values.get(name) : this.parent?.get(name);
	}
}
