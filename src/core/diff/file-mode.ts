/** Go's `os.FileMode` bits, in which the Engine API gives modes. */
export type FileModeKind = "file" | "directory" | "symlink" | "character-device" | "block-device" | "fifo" | "socket";

const bit = (position: number) => 2 ** position;
const TYPE_BITS: Readonly<Record<FileModeKind, number>> = {
	file: 0,
	directory: bit(31),
	symlink: bit(27),
	"block-device": bit(26),
	"character-device": bit(26) + bit(21),
	fifo: bit(25),
	socket: bit(24),
};

/** @param permissions 0o7777 */
export function goFileMode(kind: FileModeKind, permissions: number): number {
	return (
		TYPE_BITS[kind] +
		((permissions & 0o4000) === 0 ? 0 : bit(23)) +
		((permissions & 0o2000) === 0 ? 0 : bit(22)) +
		((permissions & 0o1000) === 0 ? 0 : bit(20)) +
		(permissions & 0o777)
	);
}
