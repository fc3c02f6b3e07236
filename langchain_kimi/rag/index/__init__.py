"""What is searched, and the engines that hold it."""
