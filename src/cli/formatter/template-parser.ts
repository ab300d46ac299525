import { FUNCTIONS } from "./template-functions.ts";
import { parseError, type Token, type TokenKind, tokenize } from "./template-tokens.ts";

/** The parsed form of a template. `at` are offsets in the source, for error messages. */
export type Node =
	| { kind: "text"; text: string }
	| { kind: "action"; pipeline: Pipeline }
	| { kind: "if" | "with"; pipeline: Pipeline; body: Node[]; otherwise: Node[] }
	| { kind: "range"; pipeline: Pipeline; body: Node[]; otherwise: Node[] }
	| { kind: "break" | "continue" };

export interface Pipeline {
	/** `$x := …`, `$x = …`, `$index, $element := range …` */
	variables: string[];
	isAssignment: boolean;
	commands: CommandNode[];
	at: number;
	text: string;
}

/** An operand, or a function or method with its arguments. */
export interface CommandNode {
	words: Operand[];
	at: number;
	text: string;
}

export type Operand =
	| { kind: "literal"; value: unknown; at: number }
	| { kind: "dot"; at: number }
	| { kind: "function"; name: string; at: number }
	| { kind: "fields"; base: Operand; names: string[]; at: number; text: string }
	| { kind: "variable"; name: string; at: number }
	| { kind: "pipeline"; pipeline: Pipeline; at: number };

/** @throws TemplateError */
export function parseTemplate(source: string): Node[] {
	const parser = new Parser(source, tokenize(source));
	const { nodes, end } = parser.list(new Set(["$"]), false);
	if (end !== undefined) throw parser.error(end.at, `unexpected {{${end.text}}}`);
	return nodes;
}

interface ListEnd {
	text: "end" | "else";
	at: number;
}

class Parser {
	#position = 0;

	constructor(
		private readonly source: string,
		private readonly tokens: readonly Token[],
	) {}

	error(at: number, message: string) {
		return parseError(this.source, at, message);
	}

	/** Nodes up to `{{end}}`, `{{else}}` or the end of the source. After an `else` its word is the next token. */
	list(scope: Set<string>, isInRange: boolean): { nodes: Node[]; end: ListEnd | undefined } {
		const nodes: Node[] = [];
		for (;;) {
			const token = this.#next();
			if (token === undefined) return { nodes, end: undefined };
			if (token.kind === "text") {
				nodes.push({ kind: "text", text: token.text });
				continue;
			}
			const word = this.#peek();
			const keyword = word?.kind === "word" ? word.text : "";
			if (keyword === "end" || keyword === "else") {
				this.#next();
				if (keyword === "end") this.#expect("close");
				return { nodes, end: { text: keyword, at: token.at } };
			}
			nodes.push(this.#action(keyword, scope, isInRange));
		}
	}

	#action(keyword: string, scope: Set<string>, isInRange: boolean): Node {
		const at = this.#peek()?.at ?? this.source.length;
		if (keyword === "if" || keyword === "with" || keyword === "range") {
			this.#next();
			return this.#control(keyword, new Set(scope), isInRange);
		}
		if (keyword === "break" || keyword === "continue") {
			if (!isInRange) throw this.error(at, `{{${keyword}}} outside {{range}}`);
			this.#next();
			this.#expect("close");
			return { kind: keyword };
		}
		if (keyword === "define" || keyword === "template" || keyword === "block")
			throw this.error(at, `{{${keyword}}} is not supported in formats`);
		const pipeline = this.#pipeline(scope, "command");
		this.#expect("close");
		return { kind: "action", pipeline };
	}

	#control(kind: "if" | "with" | "range", scope: Set<string>, isInRange: boolean): Node {
		const pipeline = this.#pipeline(scope, kind);
		this.#expect("close");
		const inRange = isInRange || kind === "range";
		const { nodes: body, end } = this.list(new Set(scope), inRange);
		if (end === undefined) throw this.error(this.source.length, "unexpected EOF");
		if (end.text === "end") return { kind, pipeline, body, otherwise: [] };
		const next = this.#peek();
		if (next?.kind === "word" && (next.text === "if" || next.text === "with")) {
			// `{{else if}}` is an `if` of its own that shares the one `{{end}}`.
			this.#next();
			return { kind, pipeline, body, otherwise: [this.#control(next.text, new Set(scope), isInRange)] };
		}
		this.#expect("close");
		const { nodes: otherwise, end: last } = this.list(new Set(scope), isInRange);
		if (last === undefined) throw this.error(this.source.length, "unexpected EOF");
		if (last.text === "else") throw this.error(last.at, "expected end; found {{else}}");
		return { kind, pipeline, body, otherwise };
	}

	#pipeline(scope: Set<string>, context: string): Pipeline {
		const start = this.#peek()?.at ?? this.source.length;
		const { variables, isAssignment } = this.#declarations(scope, context);
		const commands: CommandNode[] = [];
		for (;;) {
			const token = this.#peek();
			if (token === undefined || token.kind === "close" || token.kind === ")") {
				if (commands.length === 0) throw this.error(start, `missing value for ${context}`);
				break;
			}
			if (token.kind === "pipe") {
				this.#next();
				if (commands.length === 0) throw this.error(token.at, `missing value for ${context}`);
				continue;
			}
			commands.push(this.#command(scope));
		}
		for (const name of variables) scope.add(name);
		return { variables, isAssignment, commands, at: start, text: this.#textFrom(start) };
	}

	#declarations(scope: Set<string>, context: string): { variables: string[]; isAssignment: boolean } {
		const start = this.#position;
		const variables: string[] = [];
		while (this.#peek()?.kind === "variable") {
			variables.push(this.#next()?.text ?? "");
			const token = this.#peek();
			if (token?.kind === ":=" || token?.kind === "=") {
				this.#next();
				if (token.kind === "=")
					for (const name of variables)
						if (!scope.has(name)) throw this.error(token.at, `undefined variable ${JSON.stringify(name)}`);
				return { variables, isAssignment: token.kind === "=" };
			}
			if (token?.kind !== "," || context !== "range" || variables.length > 1) break;
			this.#next();
		}
		this.#position = start;
		return { variables: [], isAssignment: false };
	}

	#command(scope: Set<string>): CommandNode {
		const at = this.#peek()?.at ?? 0;
		const words: Operand[] = [];
		for (;;) {
			const token = this.#peek();
			if (token === undefined || token.kind === "close" || token.kind === ")" || token.kind === "pipe") break;
			words.push(this.#operand(scope));
		}
		const [first] = words;
		if (first === undefined) throw this.error(at, "empty command");
		if (first.kind === "literal" && words.length > 1)
			throw this.error(at, `can't give argument to non-function ${this.source.slice(first.at).split(/[\s|})]/)[0]}`);
		return { words, at, text: this.#textFrom(at) };
	}

	#operand(scope: Set<string>): Operand {
		const token = this.#next();
		if (token === undefined) throw this.error(this.source.length, "unexpected EOF");
		let operand = this.#simpleOperand(token, scope);
		const names: string[] = [];
		for (;;) {
			const next = this.#peek();
			if (next?.kind !== "field" || next.isSpaced) break;
			this.#next();
			names.push(next.text.slice(1));
		}
		if (names.length === 0) return operand;
		if (operand.kind === "fields") operand = { ...operand, names: [...operand.names, ...names] };
		else operand = { kind: "fields", base: operand, names, at: token.at, text: "" };
		return { ...operand, text: this.#textFrom(token.at) };
	}

	#simpleOperand(token: Token, scope: Set<string>): Operand {
		const { at } = token;
		switch (token.kind) {
			case "field":
				return { kind: "fields", base: { kind: "dot", at }, names: [token.text.slice(1)], at, text: token.text };
			case "dot":
				return { kind: "dot", at };
			case "string":
				return { kind: "literal", value: token.text, at };
			case "number":
				return { kind: "literal", value: Number(token.text), at };
			case "variable":
				if (!scope.has(token.text)) throw this.error(at, `undefined variable ${JSON.stringify(token.text)}`);
				return { kind: "variable", name: token.text, at };
			case "word":
				return this.#word(token);
			case "(": {
				const pipeline = this.#pipeline(scope, "parenthesized pipeline");
				if (this.#next()?.kind !== ")") throw this.error(at, "unclosed left paren");
				return { kind: "pipeline", pipeline, at };
			}
			default:
				throw this.error(at, `unexpected ${JSON.stringify(token.text)} in operand`);
		}
	}

	#word(token: Token): Operand {
		const { at, text } = token;
		if (text === "true" || text === "false") return { kind: "literal", value: text === "true", at };
		if (text === "nil") return { kind: "literal", value: null, at };
		if (!(text in FUNCTIONS)) throw this.error(at, `function ${JSON.stringify(text)} not defined`);
		return { kind: "function", name: text, at };
	}

	#peek(): Token | undefined {
		return this.tokens[this.#position];
	}

	#next(): Token | undefined {
		return this.tokens[this.#position++];
	}

	#expect(kind: TokenKind): void {
		const token = this.#next();
		if (token?.kind !== kind)
			throw this.error(token?.at ?? this.source.length, `unexpected ${JSON.stringify(token?.text ?? "EOF")} in end`);
	}

	/** The source from `start` to where parsing stands, for messages. */
	#textFrom(start: number): string {
		const next = this.tokens[this.#position];
		return this.source.slice(start, next?.at ?? this.source.length).trim();
	}
}
