/**
 * The version of this package, where its package.json is out of reach: in browsers and bundles.
 *
 * @module
 */

/** As in package.json; a test holds them equal. */
export const VERSION = "0.1.0";
