/** Numbers of RFC 1035, 3596, 6891 and 8482 that names in containers have to do with. */

export const RecordType = {
  A: 1,
  PTR: 12,
  AAAA: 28,
  OPT: 41,
  IXFR: 251,
  AXFR: 252,
  ANY: 255,
} as const;

export const RecordClass = { INTERNET: 1, ANY: 255 } as const;

export const ResponseCode = {
  SUCCESS: 0,
  FORMAT_ERROR: 1,
  SERVER_FAILURE: 2,
  NO_SUCH_NAME: 3,
  NOT_IMPLEMENTED: 4,
  REFUSED: 5,
  /** Needs EDNS: its upper bits travel there. */
  BAD_VERSION: 16,
} as const;

export const HEADER_BYTES = 12;

/** Bits of the header's second word. */
export const HeaderFlag = {
  RESPONSE: 0x8000,
  OPCODE: 0x7800,
  TRUNCATED: 0x0200,
  RECURSION_DESIRED: 0x0100,
  RECURSION_AVAILABLE: 0x0080,
  CODE: 0x000f,
} as const;
