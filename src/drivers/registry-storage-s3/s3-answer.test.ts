import { expect, test } from "bun:test";
import { begunPage, checkCompleted, errorOf, listPage, S3Error, uploadIdOf } from "./s3-answer.ts";

const HEAD = '<?xml version="1.0" encoding="UTF-8"?>\n';
const NAMESPACE = 'xmlns="http://s3.amazonaws.com/doc/2006-03-01/"';

test("listPage() takes keys, prefixes and the next page's token out of what else there is", () => {
	const body = `${HEAD}<ListBucketResult ${NAMESPACE}><Name>b</Name><Prefix /><KeyCount>2</KeyCount>
		<Contents><Key>a&amp;b&#38;&#x26;&lt;&quot;&apos;</Key><Owner><ID>Key</ID></Owner><Size>1</Size></Contents>
		<Contents><Size>2</Size><Key>d\u00e4</Key></Contents>
		<CommonPrefixes><Prefix>d/</Prefix></CommonPrefixes><CommonPrefixes><Prefix>e/</Prefix></CommonPrefixes>
		<IsTruncated>true</IsTruncated><NextContinuationToken>1/x+y==</NextContinuationToken></ListBucketResult>`;
	expect(listPage(body)).toEqual({ keys: [`a&b&&<"'`, "d\u00e4"], prefixes: ["d/", "e/"], next: "1/x+y==" });
	expect(listPage(`<ListBucketResult><IsTruncated>false</IsTruncated></ListBucketResult>`)).toEqual({
		keys: [],
		prefixes: [],
		next: undefined,
	});
	for (const other of ["", "<html>", "<ListBucketResult>"]) expect(() => listPage(other)).toThrow(S3Error);
});

test("begunPage() passes over what it cannot use", () => {
	const upload = (fields: string) => `<Upload><Initiator><ID>x</ID></Initiator>${fields}</Upload>`;
	const body = `<ListMultipartUploadsResult><KeyMarker/><NextKeyMarker>z</NextKeyMarker><NextUploadIdMarker>9</NextUploadIdMarker>
		${upload("<Key>k</Key><UploadId>1</UploadId><Initiated>2026-01-02T03:04:05.000Z</Initiated>")}
		${upload("<Key>k</Key><UploadId>2</UploadId><Initiated>some day</Initiated>")}${upload("<Key>k</Key>")}
		<IsTruncated>true</IsTruncated></ListMultipartUploadsResult>`;
	expect(begunPage(body)).toEqual({
		begun: [{ key: "k", uploadId: "1", begunMs: Date.UTC(2026, 0, 2, 3, 4, 5) }],
		next: { key: "z", uploadId: "9" },
	});
});

test("uploadIdOf() and checkCompleted() do not take an error for success", () => {
	expect(uploadIdOf(`<R ${NAMESPACE}><UploadId>abc</UploadId></R>`)).toBe("abc");
	expect(() => uploadIdOf("<R><UploadId/></R>")).toThrow(S3Error);
	checkCompleted(`${HEAD}<CompleteMultipartUploadResult ${NAMESPACE}><Key>k</Key></CompleteMultipartUploadResult>`);
	expect(() => checkCompleted(`${HEAD}\n  <Error><Code>InternalError</Code></Error>`)).toThrow("InternalError");
	expect(() => checkCompleted("")).toThrow(S3Error);
});

const ERRORS: readonly (readonly [status: number, code: string, isMissing: boolean, isTransient: boolean])[] = [
	[404, "NoSuchKey", true, false],
	[404, "", true, false],
	[404, "NoSuchBucket", false, false],
	[404, "NoSuchUpload", false, false],
	[403, "SignatureDoesNotMatch", false, false],
	[400, "RequestTimeout", false, true],
	[200, "InternalError", false, true],
	[503, "", false, true],
	[500, "InternalError", false, true],
	[501, "NotImplemented", false, false],
	[0, "", false, true],
];

for (const [status, code, isMissing, isTransient] of ERRORS)
	test(`S3Error ${status} ${code}: missing ${isMissing}, transient ${isTransient}`, () => {
		const body = code === "" ? "" : `<Error><Code>${code}</Code><Message>why\u0007</Message></Error>`;
		const error = errorOf(status, body);
		expect([error.isMissing, error.isTransient]).toEqual([isMissing, isTransient]);
		expect(error.message).toBe(code === "" ? `the storage answers ${status}` : `${code}: why `);
	});
