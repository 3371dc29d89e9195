/** The subset of RFC 8949 that structured data is written in: `store/FORMAT.md`, Terms. */
export const major = { uint: 0, negative: 1, bytes: 2, text: 3, array: 4, map: 5, simple: 7 } as const;

/** The simple values, with their major type. */
export const simple = { false: 0xf4, true: 0xf5, null: 0xf6 } as const;

/** Arrays and maps inside each other, at most; hostile bytes must not reach the end of the stack. */
export const cborDepthMax = 32;
/** Values in one piece of structured data: a map of nothing takes two bytes here and some hundred in memory. */
export const cborValuesMax = 2 ** 20;
export const mapKeyMax = 0xffff_ffff;
export const int64Max = 2n ** 63n - 1n;
export const int64Min = -(2n ** 63n);
