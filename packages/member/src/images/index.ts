export type { ImageShelf, ImagesLink, ImageTarget, PeerImage, ShelfImage } from './contract.js';
export { channelImages, localImages } from './links.js';
export { ShelfDoor } from './shelf-door.js';
export { SwarmImages, type SwarmImagesTraffic } from './swarm-images.js';
