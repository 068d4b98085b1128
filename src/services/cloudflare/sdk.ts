// What the service uses of Cloudflare's SDK. scripts/build-sdk.js replaces the compiled file by a bundle of these modules,
// because the whole SDK takes 120 MB on the disk, and those who install the service would have to install it.
export { BaseCloudflare } from 'cloudflare/client';
export { Records } from 'cloudflare/resources/dns/records';
export { Configurations } from 'cloudflare/resources/zero-trust/tunnels/cloudflared/configurations';
export { Zones } from 'cloudflare/resources/zones/zones';
