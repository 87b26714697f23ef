package queue_test

const childRole = "ODYSSEY_QUEUE_TEST_ROLE"

func child(string) int { return 0 }
