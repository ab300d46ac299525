/** Type bits of Go's `os.FileMode`, in which the API gives modes. */
const DIRECTORY = 2 ** 31;
const SYMLINK = 2 ** 27;
const DEVICE = 2 ** 26;

export function isDirectoryMode(mode: number): boolean {
	return hasBit(mode, DIRECTORY);
}

export function isSymlinkMode(mode: number): boolean {
	return hasBit(mode, SYMLINK);
}

export function isDeviceMode(mode: number): boolean {
	return hasBit(mode, DEVICE);
}

function hasBit(mode: number, bit: number): boolean {
	return Math.floor(mode / bit) % 2 === 1;
}
