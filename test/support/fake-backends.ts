/** Backends whose methods are what a test gives; any other call is a failure that names itself. */
import type { Backends } from "../../src/server/backends.ts";

type Methods = { readonly [Noun in keyof Backends]?: Partial<Backends[Noun]> };

const NOUNS: readonly (keyof Backends)[] = [
	"containers",
	"streams",
	"files",
	"views",
	"execs",
	"images",
	"registries",
	"builds",
	"buildSessions",
	"volumes",
	"volumeCopies",
	"networks",
	"system",
	"gc",
	"pins",
];

export function fakeBackends(methods: Methods): Backends {
	const entries = NOUNS.map((noun) => [noun, fakeBackend(noun, methods[noun] ?? {})]);
	return Object.fromEntries(entries) as Backends;
}

function fakeBackend(noun: string, methods: object): object {
	return new Proxy(methods, {
		get(target, name) {
			if (Object.hasOwn(target, name)) return Reflect.get(target, name);
			return () => {
				throw new Error(`unexpected call of ${noun}.${String(name)}`);
			};
		},
	});
}
