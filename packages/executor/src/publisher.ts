/** What the executor asks of whoever makes published ports answer: the network room's contract. */
export type {
  IngressAttachment,
  IngressPort,
  PortProtocol,
  PublishedTask,
  ServicePublisher,
} from '@skep/network';
