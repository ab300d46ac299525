/**
 * Seccomp filters by libseccomp, compiled once per profile. An OCI runtime that compiles the default profile at each start
 * spends more time on it than on all the rest of the container; crun takes a finished filter instead.
 */
import { dlopen } from "bun:ffi";
import { closeSync, fstatSync, readSync } from "node:fs";
import type { SeccompArgument, SeccompSpec } from "../../api/oci/runtime-spec.ts";
import { ErrnoError, errorMessage } from "../../base/errors.ts";
import type { Logger } from "../../base/logger.ts";
import type { SeccompCompiler } from "../../core/container/seccomp-compiler.ts";
import { errnoName } from "./errno.ts";
import { openMemoryFile } from "./file-descriptors.ts";
import { cString } from "./libc.ts";

const SYMBOLS = {
	seccomp_init: { args: ["u32"], returns: "ptr" },
	seccomp_release: { args: ["ptr"], returns: "void" },
	seccomp_arch_resolve_name: { args: ["ptr"], returns: "u32" },
	seccomp_arch_exist: { args: ["ptr", "u32"], returns: "i32" },
	seccomp_arch_add: { args: ["ptr", "u32"], returns: "i32" },
	seccomp_attr_set: { args: ["ptr", "u32", "u32"], returns: "i32" },
	seccomp_syscall_resolve_name: { args: ["ptr"], returns: "i32" },
	seccomp_rule_add_array: { args: ["ptr", "u32", "i32", "u32", "ptr"], returns: "i32" },
	seccomp_export_bpf: { args: ["ptr", "i32"], returns: "i32" },
} as const;

const ATTRIBUTE_OPTIMIZE = 8;
/** Syscalls in a binary tree: the kernel runs through a tenth of the instructions. */
const OPTIMIZE_BINARY_TREE = 2;
const SYSCALL_UNKNOWN = -1;
const EEXIST = 17;
const EPERM = 1;
const KEPT_FILTERS = 64;

/** seccomp.h; the lower 16 bits of ERRNO and TRACE carry a number. */
const ACTIONS: Readonly<Record<string, number>> = {
	SCMP_ACT_KILL: 0,
	SCMP_ACT_KILL_THREAD: 0,
	SCMP_ACT_KILL_PROCESS: 0x80000000,
	SCMP_ACT_TRAP: 0x00030000,
	SCMP_ACT_ERRNO: 0x00050000,
	SCMP_ACT_TRACE: 0x7ff00000,
	SCMP_ACT_LOG: 0x7ffc0000,
	SCMP_ACT_ALLOW: 0x7fff0000,
};

const OPERATORS: readonly string[] = ["", "NE", "LT", "LE", "EQ", "GE", "GT", "MASKED_EQ"];

type Library = ReturnType<typeof dlopen<typeof SYMBOLS>>["symbols"];
type Context = NonNullable<ReturnType<Library["seccomp_init"]>>;

export class LibseccompCompiler implements SeccompCompiler {
	readonly #filters = new Map<string, Uint8Array | undefined>();
	readonly #logger: Logger;
	#library: Library | undefined;
	#isMissing = false;

	constructor(deps: { readonly logger: Logger }) {
		this.#logger = deps.logger;
	}

	compile(profile: SeccompSpec): Uint8Array | undefined {
		const key = JSON.stringify(profile);
		if (this.#filters.has(key)) return this.#filters.get(key);
		const filter = this.#tryCompile(profile);
		const oldest = this.#filters.keys().next();
		if (this.#filters.size >= KEPT_FILTERS && oldest.done !== true) this.#filters.delete(oldest.value);
		this.#filters.set(key, filter);
		return filter;
	}

	#tryCompile(profile: SeccompSpec): Uint8Array | undefined {
		// A listener or other flags are between the runtime and the kernel, not in the filter.
		if ((profile.flags?.length ?? 0) > 0) return undefined;
		const library = this.#open();
		if (library === undefined) return undefined;
		try {
			return compileProfile(library, profile);
		} catch (error) {
			this.#logger.debug("seccomp profile left to the runtime", { error: errorMessage(error) });
			return undefined;
		}
	}

	#open(): Library | undefined {
		if (this.#library !== undefined || this.#isMissing) return this.#library;
		try {
			this.#library = dlopen("libseccomp.so.2", SYMBOLS).symbols;
		} catch (error) {
			this.#isMissing = true;
			this.#logger.info("libseccomp is missing, seccomp profiles are left to the runtime", {
				error: errorMessage(error),
			});
		}
		return this.#library;
	}
}

/** @throws ErrnoError for what libseccomp refuses, Error for what it does not know */
function compileProfile(library: Library, profile: SeccompSpec): Uint8Array {
	const context = library.seccomp_init(actionOf(profile.defaultAction, profile.defaultErrnoRet));
	if (context === null) throw new ErrnoError("seccomp_init", 22, "EINVAL", profile.defaultAction);
	try {
		for (const name of profile.architectures ?? []) addArchitecture(library, context, name);
		checkResult(library.seccomp_attr_set(context, ATTRIBUTE_OPTIMIZE, OPTIMIZE_BINARY_TREE), "seccomp_attr_set");
		const defaultAction = actionOf(profile.defaultAction, profile.defaultErrnoRet);
		for (const { names, action, errnoRet, args } of profile.syscalls) {
			const code = actionOf(action, errnoRet);
			if (code === defaultAction) continue;
			for (const name of names) addRules(library, context, { name, code, args: args ?? [] });
		}
		return exportFilter(library, context);
	} finally {
		library.seccomp_release(context);
	}
}

function addArchitecture(library: Library, context: Context, name: string): void {
	const short = name.replace(/^SCMP_ARCH_/, "").toLowerCase();
	const token = library.seccomp_arch_resolve_name(cString(short));
	if (token === 0) throw new Error(`Unknown seccomp architecture: ${name}`);
	if (library.seccomp_arch_exist(context, token) === 0) return;
	checkResult(library.seccomp_arch_add(context, token), "seccomp_arch_add", name);
}

interface Rule {
	readonly name: string;
	readonly code: number;
	readonly args: readonly SeccompArgument[];
}

/** libseccomp takes one comparison per argument in a rule; several of one argument are alternatives, as in OCI runtimes. */
function addRules(library: Library, context: Context, { name, code, args }: Rule): void {
	const number = library.seccomp_syscall_resolve_name(cString(name));
	if (number === SYSCALL_UNKNOWN) return;
	const repeats = new Set(args.map(({ index }) => index)).size < args.length;
	for (const group of repeats ? args.map((argument) => [argument]) : [args]) {
		const packed = packArguments(group);
		const result = library.seccomp_rule_add_array(context, code, number, group.length, packed);
		if (result !== -EEXIST) checkResult(result, "seccomp_rule_add", name);
	}
}

/** `struct scmp_arg_cmp`: index, operator, two 64-bit values. Never empty, so that there is an address to pass. */
function packArguments(args: readonly SeccompArgument[]): Uint8Array {
	const packed = Buffer.alloc(24 * Math.max(args.length, 1));
	for (const [position, { index, op, value, valueTwo }] of args.entries()) {
		const operator = OPERATORS.indexOf(op.replace(/^SCMP_CMP_/, ""));
		if (operator < 1) throw new Error(`Unknown seccomp operator: ${op}`);
		packed.writeUInt32LE(index, position * 24);
		packed.writeUInt32LE(operator, position * 24 + 4);
		packed.writeBigUInt64LE(BigInt.asUintN(64, BigInt(value)), position * 24 + 8);
		packed.writeBigUInt64LE(BigInt.asUintN(64, BigInt(valueTwo ?? 0)), position * 24 + 16);
	}
	return packed;
}

function actionOf(name: string, errno: number | undefined): number {
	const action = Object.hasOwn(ACTIONS, name) ? ACTIONS[name] : undefined;
	if (action === undefined) throw new Error(`Unknown seccomp action: ${name}`);
	if (name === "SCMP_ACT_ERRNO" || name === "SCMP_ACT_TRACE") return (action | ((errno ?? EPERM) & 0xffff)) >>> 0;
	return action >>> 0;
}

function exportFilter(library: Library, context: Context): Uint8Array {
	const fd = openMemoryFile("seccomp");
	try {
		checkResult(library.seccomp_export_bpf(context, fd), "seccomp_export_bpf");
		const filter = Buffer.alloc(fstatSync(fd).size);
		readSync(fd, filter, 0, filter.length, 0);
		return filter;
	} finally {
		closeSync(fd);
	}
}

function checkResult(result: number, call: string, detail = ""): void {
	if (result < 0) throw new ErrnoError(call, -result, errnoName(-result), detail);
}
