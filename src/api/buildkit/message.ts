/**
 * Messages in protobuf's binary format, declared as tables: a field is its number and what it holds. Only what this API needs: no
 * groups, no packed numbers, no floats. Fields that the table does not have are skipped, absent ones have proto3's defaults.
 */
import { BinaryReader, BinaryWriter, WireType } from "@bufbuild/protobuf/wire";
import { InvalidParameterError } from "../../base/errors.ts";

export interface Field<T> {
	readonly number: number;
	readonly wireType: WireType;
	/** The value where the message has none. */
	initial(): T;
	read(reader: BinaryReader, before: T): T;
	/** Writes nothing for a default value. */
	write(writer: BinaryWriter, value: T): void;
}

type Fields = Readonly<Record<string, Field<unknown>>>;
type ValueOf<F> = F extends Field<infer T> ? T : never;
type Value<F extends Fields> = { readonly [K in keyof F]: ValueOf<F[K]> };

export interface MessageType<T> {
	/** @throws InvalidParameterError for bytes that are no such message */
	decode(bytes: Uint8Array): T;
	encode(value: Partial<T>): Uint8Array<ArrayBuffer>;
	readUntil(reader: BinaryReader, end: number): T;
	writeTo(writer: BinaryWriter, value: Partial<T>): void;
}

/** What `decode` gives and `encode` takes. */
export type MessageOf<M> = M extends MessageType<infer T> ? T : never;

export function message<F extends Fields>(fields: F): MessageType<Value<F>> {
	const entries = Object.entries(fields);
	const byNumber = new Map(entries.map(([name, field]) => [field.number, { name, field }]));
	const readUntil = (reader: BinaryReader, end: number) => {
		if (end > reader.len) throw new RangeError("premature end");
		const value: Record<string, unknown> = {};
		for (const [name, field] of entries) value[name] = field.initial();
		while (reader.pos < end) {
			const [number, wireType] = reader.tag();
			const known = byNumber.get(number);
			if (known === undefined || known.field.wireType !== wireType) reader.skip(wireType, number);
			else value[known.name] = known.field.read(reader, value[known.name]);
		}
		if (reader.pos !== end) throw new RangeError("a field ends beyond its message");
		return value as Value<F>;
	};
	const writeTo = (writer: BinaryWriter, value: Partial<Value<F>>) => {
		for (const [name, field] of entries) {
			const part = (value as Record<string, unknown>)[name];
			if (part !== undefined) field.write(writer, part);
		}
	};
	return {
		readUntil,
		writeTo,
		decode(bytes) {
			try {
				return readUntil(new BinaryReader(bytes), bytes.length);
			} catch (cause) {
				throw new InvalidParameterError("malformed protobuf message", { cause });
			}
		},
		encode(value) {
			const writer = new BinaryWriter();
			writeTo(writer, value);
			return writer.finish();
		},
	};
}

export function text(number: number): Field<string> {
	return {
		number,
		wireType: WireType.LengthDelimited,
		initial: () => "",
		read: (reader) => reader.string(),
		write: (writer, value) => {
			if (value !== "") writer.tag(number, WireType.LengthDelimited).string(value);
		},
	};
}

/** What is read is a view of the message's bytes. */
export function bytes(number: number): Field<Uint8Array> {
	return {
		number,
		wireType: WireType.LengthDelimited,
		initial: () => EMPTY,
		read: (reader) => reader.bytes(),
		write: (writer, value) => {
			if (value.length > 0) writer.tag(number, WireType.LengthDelimited).bytes(value);
		},
	};
}

const EMPTY = new Uint8Array();

export function flag(number: number): Field<boolean> {
	return {
		number,
		wireType: WireType.Varint,
		initial: () => false,
		read: (reader) => reader.bool(),
		write: (writer, value) => {
			if (value) writer.tag(number, WireType.Varint).bool(value);
		},
	};
}

/** uint32 and non-negative enums. */
export function whole32(number: number): Field<number> {
	return {
		number,
		wireType: WireType.Varint,
		initial: () => 0,
		read: (reader) => reader.uint32(),
		write: (writer, value) => {
			if (value !== 0) writer.tag(number, WireType.Varint).uint32(value);
		},
	};
}

/** int32 and int64. What a number cannot hold exactly is rounded. */
export function integer(number: number): Field<number> {
	return {
		number,
		wireType: WireType.Varint,
		initial: () => 0,
		read: (reader) => Number(reader.int64()),
		write: (writer, value) => {
			if (value !== 0) writer.tag(number, WireType.Varint).int64(BigInt(Math.trunc(value)));
		},
	};
}

/** int64, exactly. */
export function bigInteger(number: number): Field<bigint> {
	return {
		number,
		wireType: WireType.Varint,
		initial: () => 0n,
		read: (reader) => BigInt(reader.int64()),
		write: (writer, value) => {
			if (value !== 0n) writer.tag(number, WireType.Varint).int64(value);
		},
	};
}

export function nested<T>(number: number, type: MessageType<T>): Field<T | undefined> {
	return {
		number,
		wireType: WireType.LengthDelimited,
		initial: () => undefined,
		read: (reader) => readDelimited(reader, type),
		write: (writer, value) => {
			if (value === undefined) return;
			writer.tag(number, WireType.LengthDelimited).fork();
			type.writeTo(writer, value);
			writer.join();
		},
	};
}

export function repeatedText(number: number): Field<readonly string[]> {
	return repeatedOf(
		number,
		(reader) => reader.string(),
		(writer, value) => void writer.string(value),
	);
}

export function repeatedBytes(number: number): Field<readonly Uint8Array[]> {
	return repeatedOf(
		number,
		(reader) => reader.bytes(),
		(writer, value) => void writer.bytes(value),
	);
}

export function repeated<T>(number: number, type: MessageType<T>): Field<readonly Partial<T>[]> {
	return repeatedOf<Partial<T>>(
		number,
		(reader) => readDelimited(reader, type),
		(writer, value) => {
			writer.fork();
			type.writeTo(writer, value);
			writer.join();
		},
	);
}

function repeatedOf<T>(
	number: number,
	read: (reader: BinaryReader) => T,
	write: (writer: BinaryWriter, value: T) => void,
): Field<readonly T[]> {
	return {
		number,
		wireType: WireType.LengthDelimited,
		initial: () => [],
		read: (reader, before) => {
			(before as T[]).push(read(reader));
			return before;
		},
		write: (writer, value) => {
			for (const item of value) write(writer.tag(number, WireType.LengthDelimited), item);
		},
	};
}

export function textMap(number: number): Field<ReadonlyMap<string, string>> {
	return mapOf<string>(number, text(2));
}

export function bytesMap(number: number): Field<ReadonlyMap<string, Uint8Array>> {
	return mapOf<Uint8Array>(number, bytes(2));
}

export function messageMap<T>(number: number, type: MessageType<T>): Field<ReadonlyMap<string, T | undefined>> {
	return mapOf<T | undefined>(number, nested(2, type));
}

function mapOf<T>(number: number, value: Field<T>): Field<ReadonlyMap<string, T>> {
	const entry = message({ key: text(1), value }) as unknown as MessageType<{
		key: string;
		value: T;
	}>;
	return {
		number,
		wireType: WireType.LengthDelimited,
		initial: () => new Map(),
		read: (reader, before) => {
			const { key, value: part } = readDelimited(reader, entry);
			(before as Map<string, T>).set(key, part);
			return before;
		},
		write: (writer, map) => {
			for (const [key, part] of map) {
				writer.tag(number, WireType.LengthDelimited).fork();
				entry.writeTo(writer, { key, value: part });
				writer.join();
			}
		},
	};
}

function readDelimited<T>(reader: BinaryReader, type: MessageType<T>): T {
	const length = reader.uint32();
	return type.readUntil(reader, reader.pos + length);
}
