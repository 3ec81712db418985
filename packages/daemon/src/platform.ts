import type { MemberPlatform } from '@skep/member';

/** What the whole daemon works with. */
export type Platform = MemberPlatform;
