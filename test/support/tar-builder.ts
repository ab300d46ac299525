/** Archives for tests, member by member, hostile ones included. */
import { type TarEntry, tarEntry } from "../../src/core/diff/tar-entry.ts";
import { formatTarHeader, TAR_END, tarPadding } from "../../src/core/diff/tar-writer.ts";

export type TarMember = Partial<TarEntry> & Pick<TarEntry, "name"> & { readonly content?: string | Uint8Array };

export function tarOf(...members: readonly TarMember[]): Buffer {
	return Buffer.concat([...members.flatMap(memberBytes), TAR_END]);
}

function memberBytes({ content = "", ...fields }: TarMember): Uint8Array[] {
	const bytes = Buffer.from(content);
	const type = fields.type ?? (fields.name.endsWith("/") ? "directory" : "file");
	const entry = tarEntry({ ...fields, type, sizeBytes: bytes.length });
	return [formatTarHeader(entry), bytes, tarPadding(bytes.length)];
}
