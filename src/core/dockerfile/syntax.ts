/**
 * What a Dockerfile says, instruction by instruction. Words are as written: quotes, escapes and `$variables` are still in them, because
 * what they mean depends on the stage (`expand-instruction.ts`). Flags are without their quotes. Plain data, so it prints as JSON.
 */
import type { SourceRange } from "./source-range.ts";

export type EscapeCharacter = "\\" | "`";

export interface Dockerfile {
	/** The name people know the file by, for messages. */
	readonly file: string;
	/** The text that was parsed, without a byte order mark. */
	readonly source: string;
	readonly directives: readonly Directive[];
	readonly escape: EscapeCharacter;
	/** ARG instructions before the first FROM. */
	readonly globalArgs: readonly ArgInstruction[];
	/** At least one, unless the file holds nothing but global ARGs. */
	readonly stages: readonly Stage[];
	/** Comments and empty lines after the last instruction. */
	readonly trailing: readonly Trivia[];
	/** Numbers of the empty lines in the middle of continued instructions. BuildKit skips them, and warns. */
	readonly emptyContinuations: readonly number[];
}

/** `# name=value` before everything else. */
export interface Directive {
	readonly name: "syntax" | "escape" | "check";
	readonly value: string;
	readonly range: SourceRange;
}

export interface Stage {
	/** From 0, as `COPY --from=0` counts. */
	readonly index: number;
	/** In small letters; "" without AS. */
	readonly name: string;
	readonly from: FromInstruction;
	readonly instructions: readonly StageInstruction[];
}

export type Trivia = { readonly kind: "blank" } | { readonly kind: "comment"; readonly text: string };

/** A line of an instruction as it stands in the file, without its end. */
export interface SourceLine {
	readonly kind: "code" | "comment" | "blank" | "heredoc";
	readonly text: string;
}

interface InstructionBase {
	/** As written, for instance `copy`. */
	readonly keyword: string;
	/** The instruction with its continuation lines joined and comments dropped, trimmed; without heredocs. */
	readonly text: string;
	readonly range: SourceRange;
	/** Comments and empty lines between the instruction before and this one. */
	readonly leading: readonly Trivia[];
	/** The comment that stands directly before: a line each, without `#`. A comment line without text starts it anew. */
	readonly comments: readonly string[];
	readonly lines: readonly SourceLine[];
}

/** An exec form is a JSON list; anything else is given to the stage's shell as one text. */
export type CommandLine =
	| { readonly form: "exec"; readonly arguments: readonly string[] }
	| { readonly form: "shell"; readonly line: string };

/** `<<NAME` and the lines up to NAME. */
export interface Heredoc {
	readonly name: string;
	/** The number before `<<`; 0 without. */
	readonly fileDescriptor: number;
	/** No quotes in the delimiter: variables count. */
	readonly expand: boolean;
	/** `<<-`: tabs at the beginning of lines do not count. */
	readonly stripTabs: boolean;
	/** As in the file, each line with its end. `heredocText` is what it means. */
	readonly content: string;
}

export interface KeyValue {
	readonly key: string;
	readonly value: string;
}

export interface FromInstruction extends InstructionBase {
	readonly kind: "from";
	/** An image, a stage, or `scratch`. */
	readonly base: string;
	/** AS, as written. Undefined without. */
	readonly as: { readonly keyword: string; readonly name: string } | undefined;
	readonly platform: string | undefined;
}

export interface RunInstruction extends InstructionBase {
	readonly kind: "run";
	readonly command: CommandLine;
	readonly heredocs: readonly Heredoc[];
	readonly mounts: readonly MountFlag[];
	readonly network: "default" | "none" | "host" | undefined;
	readonly security: "sandbox" | "insecure" | undefined;
}

/** `--mount=…`: its values may have variables, so `expandMount` reads it. */
export interface MountFlag {
	readonly text: string;
	/** The stage, image or context of `from=`, where variables are refused. */
	readonly from: string | undefined;
}

export type MountType = "bind" | "cache" | "tmpfs" | "secret" | "ssh";
export type CacheSharing = "shared" | "private" | "locked";

/** What a `--mount` means once its variables are in. */
export interface Mount {
	readonly type: MountType;
	readonly from: string | undefined;
	readonly source: string | undefined;
	readonly target: string | undefined;
	readonly readOnly: boolean;
	/** Of a cache, a secret or an agent. */
	readonly id: string | undefined;
	readonly sharing: CacheSharing | undefined;
	readonly required: boolean;
	/** The variable that gets a secret. */
	readonly env: string | undefined;
	/** Permission bits, of caches, secrets and agents. */
	readonly mode: number | undefined;
	readonly uid: number | undefined;
	readonly gid: number | undefined;
	readonly sizeBytes: number | undefined;
}

export interface CmdInstruction extends InstructionBase {
	readonly kind: "cmd";
	readonly command: CommandLine;
}

export interface EntrypointInstruction extends InstructionBase {
	readonly kind: "entrypoint";
	readonly command: CommandLine;
}

export interface ShellInstruction extends InstructionBase {
	readonly kind: "shell";
	readonly shell: readonly string[];
}

export interface EnvInstruction extends InstructionBase {
	readonly kind: "env";
	readonly pairs: readonly KeyValue[];
	/** `ENV key the rest`. */
	readonly legacy: boolean;
}

export interface LabelInstruction extends InstructionBase {
	readonly kind: "label";
	readonly pairs: readonly KeyValue[];
	readonly legacy: boolean;
}

export interface ArgInstruction extends InstructionBase {
	readonly kind: "arg";
	readonly args: readonly ArgDeclaration[];
}

export interface ArgDeclaration {
	readonly name: string;
	/** Undefined for `ARG name`. */
	readonly defaultValue: string | undefined;
	/** What the comment says that stands before and begins with the name; "" without. */
	readonly description: string;
}

interface FileInstruction extends InstructionBase {
	/** Paths, patterns, URLs and repositories. */
	readonly sources: readonly string[];
	/** Sources that are in the Dockerfile itself. */
	readonly heredocs: readonly Heredoc[];
	readonly destination: string;
	/** Written as a JSON list. */
	readonly json: boolean;
	readonly chown: string | undefined;
	readonly chmod: string | undefined;
	readonly link: boolean;
	readonly exclude: readonly string[];
}

export interface CopyInstruction extends FileInstruction {
	readonly kind: "copy";
	/** A stage by name or index, an image, or a named context. */
	readonly from: string | undefined;
	readonly parents: boolean;
}

export interface AddInstruction extends FileInstruction {
	readonly kind: "add";
	readonly keepGitDir: boolean | undefined;
	readonly checksum: string | undefined;
	readonly unpack: boolean | undefined;
}

export interface ExposeInstruction extends InstructionBase {
	readonly kind: "expose";
	/** In the order of the file. */
	readonly ports: readonly string[];
}

export interface VolumeInstruction extends InstructionBase {
	readonly kind: "volume";
	readonly paths: readonly string[];
	readonly json: boolean;
}

export interface UserInstruction extends InstructionBase {
	readonly kind: "user";
	readonly user: string;
}

export interface WorkdirInstruction extends InstructionBase {
	readonly kind: "workdir";
	readonly path: string;
}

export interface StopSignalInstruction extends InstructionBase {
	readonly kind: "stopsignal";
	readonly signal: string;
}

export interface MaintainerInstruction extends InstructionBase {
	readonly kind: "maintainer";
	readonly name: string;
}

export interface HealthcheckInstruction extends InstructionBase {
	readonly kind: "healthcheck";
	/** Undefined for NONE. */
	readonly command: CommandLine | undefined;
	/** Nanoseconds, as the image's configuration has them; 0 means the default. */
	readonly intervalNs: number;
	readonly timeoutNs: number;
	readonly startPeriodNs: number;
	readonly startIntervalNs: number;
	/** 0 means the default. */
	readonly retries: number;
}

export interface OnbuildInstruction extends InstructionBase {
	readonly kind: "onbuild";
	/** The instruction to run later, as the image's configuration keeps it; `parseTrigger` reads it. */
	readonly expression: string;
}

export type StageInstruction =
	| RunInstruction
	| CmdInstruction
	| LabelInstruction
	| MaintainerInstruction
	| ExposeInstruction
	| EnvInstruction
	| AddInstruction
	| CopyInstruction
	| EntrypointInstruction
	| VolumeInstruction
	| UserInstruction
	| WorkdirInstruction
	| ArgInstruction
	| OnbuildInstruction
	| StopSignalInstruction
	| HealthcheckInstruction
	| ShellInstruction;

export type Instruction = FromInstruction | StageInstruction;
export type InstructionKind = Instruction["kind"];

/** A heredoc's text with the tabs of `<<-` taken off. */
export function heredocText({ content, stripTabs }: Heredoc): string {
	return stripTabs ? content.replace(/^\t+/gm, "") : content;
}
