/** Just enough of a POSIX ustar writer for base images: the same entries always give the same bytes. */

export type TarEntry =
	| { readonly kind: "directory"; readonly path: string; readonly mode: number }
	| { readonly kind: "file"; readonly path: string; readonly mode: number; readonly content: Uint8Array }
	| { readonly kind: "symlink"; readonly path: string; readonly target: string };

const BLOCK = 512;
const TYPE_FLAGS = { file: "0", symlink: "2", directory: "5" } as const;

/** All entries belong to root. `timeS` (seconds since the epoch) is the modification time of each. */
export function writeTar(entries: readonly TarEntry[], timeS: number): Uint8Array {
	const blocks = entries.flatMap((entry) => {
		const content = entry.kind === "file" ? entry.content : new Uint8Array();
		return [header(entry, content.length, timeS), content, new Uint8Array(-content.length & (BLOCK - 1))];
	});
	return Buffer.concat([...blocks, new Uint8Array(2 * BLOCK)]);
}

function header(entry: TarEntry, sizeBytes: number, timeS: number): Uint8Array {
	const block = Buffer.alloc(BLOCK);
	const text = (value: string, offset: number, lengthBytes: number) => {
		if (Buffer.byteLength(value) > lengthBytes) throw new RangeError(`Too long for a tar header: ${value}`);
		block.write(value, offset);
	};
	const octal = (value: number, offset: number, digits: number) =>
		text(value.toString(8).padStart(digits, "0"), offset, digits);
	text(entry.kind === "directory" ? `${entry.path}/` : entry.path, 0, 100);
	octal(entry.kind === "symlink" ? 0o777 : entry.mode, 100, 7);
	octal(0, 108, 7);
	octal(0, 116, 7);
	octal(sizeBytes, 124, 11);
	octal(timeS, 136, 11);
	block.fill(" ", 148, 156);
	text(TYPE_FLAGS[entry.kind], 156, 1);
	if (entry.kind === "symlink") text(entry.target, 157, 100);
	text("ustar\u000000", 257, 8);
	text("root", 265, 32);
	text("root", 297, 32);
	octal(
		block.reduce((sum, byte) => sum + byte, 0),
		148,
		6,
	);
	block[154] = 0;
	return block;
}
